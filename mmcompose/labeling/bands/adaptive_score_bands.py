"""Score bands whose upper edge is learned for each class."""

from __future__ import annotations

from typing import Any

from mmcompose.labeling.bands.score_bands import banded_by
from mmcompose.labeling.base import ByTeacher, ImageContext
from mmcompose.labeling.filters.adaptive_score_filter import AdaptiveScoreFilter
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.utils import Fraction


@LABEL_TRANSFORMS.register_module()
class AdaptiveScoreBands(AdaptiveScoreFilter):
    """Keep boxes from a learned score on, ignore those not far below, drop the rest.

    What a threshold drops becomes background: boxes just below it are better left out of the
    loss. See :class:`ScoreBands` for what the bands mean.

    Args:
        ignore_ratio: A box is ignored from this share of its class's threshold on, in [0, 1].
            Defaults to 0.6.
        **thresholds: How the threshold is learned; see :class:`AdaptiveScoreFilter`.
    """

    def __init__(self, ignore_ratio: Fraction = 0.6, **thresholds: Any) -> None:
        super().__init__(**thresholds)
        self.ignore_ratio = ignore_ratio
        self.ignores = ignore_ratio < 1

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        banded = {}
        for teacher, found in detections.items():
            keep = self.thresholds_of(teacher)
            banded[teacher] = banded_by(found, keep, keep * self.ignore_ratio)
        return banded
