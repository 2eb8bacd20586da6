"""Drop boxes too small, too large or too long to learn from."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from mmcompose.labeling.base import ByTeacher, ImageContext, LabelTransform
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections, areas
from mmcompose.utils import Fraction, Range, UserError, problem


@LABEL_TRANSFORMS.register_module()
class BoxSizeFilter(LabelTransform):
    """Keep boxes of a sensible size, measured inside the image.

    Args:
        min_side: The shorter side has at least this many pixels. Defaults to 0.
        min_area: Of the image's area, in [0, 1]. Defaults to 0.
        max_area: Likewise. Defaults to 1.
        max_aspect: The longer side is at most this many times the shorter. Defaults to None:
            any.

    Raises:
        UserError: If ``min_area`` is above ``max_area``.
    """

    def __init__(
        self,
        min_side: Annotated[float, Range(0)] = 0.0,
        min_area: Fraction = 0.0,
        max_area: Fraction = 1.0,
        max_aspect: Annotated[float, Range(1)] | None = None,
    ) -> None:
        self.min_side = min_side
        self.min_area = min_area
        self.max_area = max_area
        if min_area > max_area:
            raise UserError(problem('min_area', min_area, f'is above max_area, {max_area}'))
        self.max_aspect = np.inf if max_aspect is None else max_aspect

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        return {teacher: self._sensible(found, image) for teacher, found in detections.items()}

    def _sensible(self, found: Detections, image: ImageContext) -> Detections:
        found = found.clipped(image.width, image.height)
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        shorter, longer = sides.min(axis=1), sides.max(axis=1)
        share = areas(found.boxes) / (image.width * image.height)
        fits = (shorter >= self.min_side) & (longer <= self.max_aspect * shorter)
        return found[fits & (share >= self.min_area) & (share <= self.max_area)]
