"""Keep the best boxes of an image."""

from __future__ import annotations

import numpy as np

from mmcompose.labeling.base import ByTeacher, ImageContext, LabelTransform
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import Count


@LABEL_TRANSFORMS.register_module()
class TopK(LabelTransform):
    """Keep an image's boxes with the highest scores; ties are broken by label and box.

    Args:
        k: How many of one teacher's boxes, or of the fused ones, an image keeps.
        per_class: Count each class by itself. Defaults to False.
    """

    def __init__(self, k: Count, per_class: bool = False) -> None:
        self.k = k
        self.per_class = per_class

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        return {teacher: self._best(found) for teacher, found in detections.items()}

    def _best(self, found: Detections) -> Detections:
        found = found.sorted()
        if not self.per_class:
            return found[: self.k]
        kept = np.zeros(len(found), np.bool_)
        for label in np.unique(found.labels):
            kept[np.flatnonzero(found.labels == label)[: self.k]] = True
        return found[kept]
