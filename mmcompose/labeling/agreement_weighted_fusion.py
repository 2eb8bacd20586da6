"""Weighted Boxes Fusion with teachers weighted by how they agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmcompose.labeling.agreement import agreement_weights
from mmcompose.labeling.base import Pool
from mmcompose.labeling.electorate import Electorates
from mmcompose.labeling.per_class import check_fraction
from mmcompose.labeling.weighted_boxes_fusion import WeightedBoxesFusion
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.utils import log


@LABEL_TRANSFORMS.register_module()
class AgreementWeightedFusion(WeightedBoxesFusion):
    """Fuse as :class:`WeightedBoxesFusion` does, each teacher's weight learned from the pool.

    Teachers of unequal strength, or one that fails on a part of the pool, spoil a fusion that
    gives all the same voice. What they say of the classes that they share tells them apart; see
    :func:`mmcompose.labeling.agreement.agreement_weights`. The weights multiply those of the
    composition's teachers.

    Args:
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.7.
        skip_box_thr: This and the next two as in :class:`WeightedBoxesFusion`.
        conf_type: Likewise.
        allows_overflow: Likewise.
        agreement_iou_thr: Boxes of two teachers agree if they overlap at least this much.
            Defaults to 0.55.

    Raises:
        UserError: If an argument is out of range.
    """

    def __init__(
        self,
        iou_thr: float = 0.7,
        skip_box_thr: float = 0.0,
        conf_type: str = 'avg',
        allows_overflow: bool = False,
        agreement_iou_thr: float = 0.55,
    ) -> None:
        super().__init__(iou_thr, skip_box_thr, conf_type, allows_overflow)
        self.agreement_iou_thr = check_fraction('agreement_iou_thr', agreement_iou_thr)
        self.weights: Mapping[str, float] = {}

    @property
    def learned(self) -> dict[str, Any]:
        """``{'weights': {teacher: weight}}``, empty before a fit."""
        return {'weights': self.weights} if self.weights else {}

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """See :meth:`LabelTransform.load_learned`."""
        self.weights = learned.get('weights', {})
        self._electorates = Electorates(self.weights)

    def fit(self, pool: Pool) -> None:
        """Learn the weights; see :meth:`LabelTransform.fit`."""
        self.load_learned({'weights': agreement_weights(pool, self.agreement_iou_thr)})
        told = ', '.join(f'{name} {weight:.2f}' for name, weight in self.weights.items())
        log(f'weights of the teachers by how they agree: {told}')
