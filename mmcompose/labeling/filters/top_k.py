"""Keep the best boxes of an image."""

from __future__ import annotations

import numpy as np

from mmcompose.labeling.base import ByTeacher, LabelContext, LabelTransform
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import UserError, problem


@LABEL_TRANSFORMS.register_module()
class TopK(LabelTransform):
    """Keep an image's boxes with the highest scores; ties are broken by label and box.

    Args:
        k: How many of one teacher's boxes, or of the fused ones, an image keeps.
        per_class: Count each class by itself. Defaults to False.

    Raises:
        UserError: If ``k`` is no positive whole number.
    """

    def __init__(self, k: int, per_class: bool = False) -> None:
        if not isinstance(k, int) or k < 1:
            raise UserError(problem('k', k, 'is no positive whole number'))
        self.k = k
        self.per_class = per_class

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
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
