"""Drop boxes too small, too large or too long to learn from."""

from __future__ import annotations

import numpy as np

from mmcompose.labeling.base import ByTeacher, LabelContext, LabelTransform
from mmcompose.labeling.compute.per_class import check_fraction
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections, areas
from mmcompose.utils import UserError, problem


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
        UserError: If an argument is out of range.
    """

    def __init__(
        self,
        min_side: float = 0.0,
        min_area: float = 0.0,
        max_area: float = 1.0,
        max_aspect: float | None = None,
    ) -> None:
        if not min_side >= 0:
            raise UserError(problem('min_side', min_side, 'is below 0'))
        self.min_side = min_side
        self.min_area = check_fraction('min_area', min_area)
        self.max_area = check_fraction('max_area', max_area)
        if min_area > max_area:
            raise UserError(problem('min_area', min_area, f'is above max_area, {max_area}'))
        if max_aspect is not None and not max_aspect >= 1:
            raise UserError(problem('max_aspect', max_aspect, 'is below 1'))
        self.max_aspect = np.inf if max_aspect is None else max_aspect

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        return {teacher: self._sensible(found, context) for teacher, found in detections.items()}

    def _sensible(self, found: Detections, context: LabelContext) -> Detections:
        found = found.clipped(context.width, context.height)
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        shorter, longer = sides.min(axis=1), sides.max(axis=1)
        share = areas(found.boxes) / (context.width * context.height)
        fits = (shorter >= self.min_side) & (longer <= self.max_aspect * shorter)
        return found[fits & (share >= self.min_area) & (share <= self.max_area)]
