"""Score bands whose upper edge is learned for each class."""

from __future__ import annotations

from typing import Any

from mmcompose.labeling.bands.score_bands import banded_by
from mmcompose.labeling.base import ByTeacher, LabelContext
from mmcompose.labeling.compute.per_class import check_fraction
from mmcompose.labeling.filters.adaptive_score_filter import AdaptiveScoreFilter
from mmcompose.registry import LABEL_TRANSFORMS


@LABEL_TRANSFORMS.register_module()
class AdaptiveScoreBands(AdaptiveScoreFilter):
    """Keep boxes from a learned score on, ignore those not far below, drop the rest.

    What a threshold drops becomes background: boxes just below it are better left out of the
    loss. See :class:`ScoreBands` for what the bands mean.

    Args:
        ignore_ratio: A box is ignored from this share of its class's threshold on, in [0, 1].
            Defaults to 0.6.
        **thresholds: How the threshold is learned; see :class:`AdaptiveScoreFilter`.

    Raises:
        UserError: If an argument is out of range.
    """

    def __init__(self, ignore_ratio: float = 0.6, **thresholds: Any) -> None:
        super().__init__(**thresholds)
        self.ignore_ratio = check_fraction('ignore_ratio', ignore_ratio)

    @property
    def ignores(self) -> bool:
        """See :attr:`LabelTransform.ignores`."""
        return self.ignore_ratio < 1

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        banded = {}
        for teacher, found in detections.items():
            keep = self._learned_for(teacher, context.class_space)
            banded[teacher] = banded_by(found, keep, keep * self.ignore_ratio)
        return banded
