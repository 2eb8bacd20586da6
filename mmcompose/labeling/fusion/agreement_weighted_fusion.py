"""Weighted Boxes Fusion with teachers weighted by how they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import (
    FUSED,
    ByTeacher,
    ImageContext,
    LabelStream,
    who_predicted,
)
from mmcompose.labeling.compute.agreement import agreement_weights
from mmcompose.labeling.compute.image_trust import ImageTrust
from mmcompose.labeling.compute.pool_sample import collect_sample, merge_samples, sorted_by_hash
from mmcompose.labeling.compute.state import State
from mmcompose.labeling.fusion.weighted_boxes_fusion import ConfType, WeightedBoxesFusion
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.utils import Fraction, Range

# A teacher that fails for sure still has a weight, or its boxes could not be fused.
_LEAST_TRUST = 1e-3
# Where two contradict each other, a third owner of the class decides which of them is right. Of two
# alone the larger weight, and the trust, are guesses: of two generalists of which one was spoiled,
# they cost 0.15 of macro F1 (benchmarks/worlds.py).
_WITNESSES = 3


@LABEL_TRANSFORMS.register_module()
class AgreementWeightedFusion(WeightedBoxesFusion):
    """Fuse as :class:`WeightedBoxesFusion` does, each teacher's weight learned from the pool.

    Teachers of unequal strength, or one that fails on a part of the pool, spoil a fusion that
    gives all the same weight. The classes that they share distinguish them: a weight for each
    teacher (:func:`mmcompose.labeling.compute.agreement.agreement_weights`), which multiplies
    that of the composition, and for each image the chance that the teacher works there as it
    usually does (:mod:`mmcompose.labeling.compute.image_trust`), which multiplies both. Of a
    class all of whose owners are doubtful in an image, the scores fall with the trust in the best
    of them. Of a large pool a sample is looked at
    (:mod:`mmcompose.labeling.compute.pool_sample`). Where no class has three owners, nothing is
    learned: of two that contradict each other, either may be wrong.

    Args:
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.7.
        skip_box_thr: This and the next two as in :class:`WeightedBoxesFusion`.
        conf_type: Likewise.
        allows_overflow: Likewise.
        agreement_iou_thr: Boxes of two teachers agree if they overlap at least this much.
            Defaults to 0.55.
        sharpness: How far the weights set teachers apart; 0 makes them equal. Defaults to 5.
            ``benchmarks/label_constants.py`` compares values of it and of ``iou_thr``.
    """

    rounds = 1
    revision = 7

    def __init__(
        self,
        iou_thr: Fraction = 0.7,
        skip_box_thr: Fraction = 0.0,
        conf_type: ConfType = 'avg',
        allows_overflow: bool = False,
        agreement_iou_thr: Fraction = 0.55,
        sharpness: Annotated[float, Range(0)] = 5.0,
    ) -> None:
        super().__init__(iou_thr, skip_box_thr, conf_type, allows_overflow)
        self.agreement_iou_thr = agreement_iou_thr
        self.sharpness = sharpness
        self._trust: ImageTrust | None = None

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        self.load_learned(self.learned)

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """Set ``{'weights': {teacher: weight}, 'trust': ImageTrust.learned}``."""
        super().load_learned(learned)
        self._weigh(learned.get('weights', {}))
        self._trust = ImageTrust(learned['trust'], self.class_space) if learned else None

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        if self._trust is None:
            return []
        failing = zip(self._trust.teachers, self._trust.failing.tolist(), strict=True)
        return [
            f'weight of {name}: {self.learned["weights"][name]:.2f}; fails in {share:.1%} of images'
            for name, share in failing
        ]

    def collect(self, stream: LabelStream) -> State:
        """See :meth:`LabelTransform.collect`."""
        return collect_sample(stream, self.class_space)

    def merge(self, states: Sequence[State]) -> State:
        """See :meth:`LabelTransform.merge`."""
        return merge_samples(states)

    def learn(self, state: State) -> None:
        """See :meth:`LabelTransform.learn`."""
        trust = None
        if (self.class_space.owners.sum(axis=1) >= _WITNESSES).any():
            state = sorted_by_hash(state)
            trust = ImageTrust.fit(state, self.class_space, self.agreement_iou_thr)
        if trust is None:
            self.load_learned({})
            return
        weights = agreement_weights(
            state, self.class_space, self.agreement_iou_thr, trust, self.sharpness
        )
        self.load_learned({'weights': weights, 'trust': trust.learned})

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        if self._trust is None or not self._trust.failing.any():
            return super().apply(detections, image)
        trust = np.maximum(self._trust.of(detections), _LEAST_TRUST)
        fused = self._fused(detections, image, self._voters_with(self.weights * trust))
        assert fused.votes is not None
        # An average among owners shows nothing of how far all of them are to be doubted.
        predicted = who_predicted(detections, self.class_space)
        asked = self.class_space.owners[fused.labels] & predicted | fused.votes
        best = np.where(asked, trust, 0).max(axis=1)
        scores = fused.scores * best.astype(np.float32)
        return {FUSED: replace(fused, scores=scores).sorted()}
