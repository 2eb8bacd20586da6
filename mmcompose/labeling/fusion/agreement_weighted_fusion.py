"""Weighted Boxes Fusion with teachers weighted by how they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mmcompose.labeling.base import FUSED, ByTeacher, LabelContext, Pool
from mmcompose.labeling.compute.agreement import agreement_weights
from mmcompose.labeling.compute.image_trust import ImageTrust
from mmcompose.labeling.compute.per_class import check_fraction
from mmcompose.labeling.compute.vote_weights import Electorates
from mmcompose.labeling.fusion.weighted_boxes_fusion import WeightedBoxesFusion
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.utils import UserError, problem

# A teacher that fails for sure still has a voice, or what it says could not be fused.
_LEAST_TRUST = 1e-3


@LABEL_TRANSFORMS.register_module()
class AgreementWeightedFusion(WeightedBoxesFusion):
    """Fuse as :class:`WeightedBoxesFusion` does, each teacher's weight learned from the pool.

    Teachers of unequal strength, or one that fails on a part of the pool, spoil a fusion that
    gives all the same voice. What they say of the classes that they share tells them apart: a
    weight for each teacher (:func:`mmcompose.labeling.compute.agreement.agreement_weights`), which
    multiplies that of the composition, and for each image the chance that the teacher works there
    as it usually does (:mod:`mmcompose.labeling.compute.image_trust`), which multiplies both.
    Of a class all of whose owners are doubtful in an image, the scores fall with the trust in the
    best of them.

    Args:
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.7.
        skip_box_thr: This and the next two as in :class:`WeightedBoxesFusion`.
        conf_type: Likewise.
        allows_overflow: Likewise.
        agreement_iou_thr: Boxes of two teachers agree if they overlap at least this much.
            Defaults to 0.55.
        sharpness: How far the weights set teachers apart; 0 makes them equal. Defaults to 5.
            ``benchmarks/label_constants.py`` compares values of it and of ``iou_thr``.

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
        sharpness: float = 5.0,
    ) -> None:
        super().__init__(iou_thr, skip_box_thr, conf_type, allows_overflow)
        self.agreement_iou_thr = check_fraction('agreement_iou_thr', agreement_iou_thr)
        if not sharpness >= 0:
            raise UserError(problem('sharpness', sharpness, 'is below 0'))
        self.sharpness = sharpness
        self.weights: Mapping[str, float] = {}
        self.trust: ImageTrust | None = None

    @property
    def learned(self) -> dict[str, Any]:
        """``{'weights': {teacher: weight}, 'trust': ImageTrust.learned}``, empty before a fit."""
        if self.trust is None:
            return {}
        return {'weights': self.weights, 'trust': self.trust.learned}

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """See :meth:`LabelTransform.load_learned`."""
        self.weights = learned.get('weights', {})
        self.trust = ImageTrust(learned['trust']) if 'trust' in learned else None
        self._electorates = Electorates(self.weights)

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        if self.trust is None:
            return []
        failing = zip(self.trust.teachers, self.trust.failing.tolist(), strict=True)
        return [
            f'the voice of {name} weighs {self.weights[name]:.2f}; fails in {share:.1%} of images'
            for name, share in failing
        ]

    def fit(self, pool: Pool) -> None:
        """Learn weights and trust; see :meth:`LabelTransform.fit`."""
        trust = ImageTrust.fit(pool, self.agreement_iou_thr)
        if trust is not None:
            weights = agreement_weights(pool, self.agreement_iou_thr, trust, self.sharpness)
            self.load_learned({'weights': weights, 'trust': trust.learned})

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        if self.trust is None or not self.trust.failing.any():
            return super().apply(detections, context)
        trust = np.maximum(self.trust.of(detections, context), _LEAST_TRUST)
        voices = replace(context, weights=context.weights * trust)
        fused = super().apply(detections, voices)[FUSED]
        assert fused.votes is not None
        # An average among owners says nothing of how far all of them are to be doubted.
        asked = context.class_space.owners[fused.labels] | fused.votes
        best = np.where(asked, trust, 0).max(axis=1)
        scores = fused.scores * best.astype(np.float32)
        return {FUSED: replace(fused, scores=scores).sorted()}
