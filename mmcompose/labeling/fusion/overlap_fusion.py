"""What NMS, Soft-NMS and Non-Maximum Weighted have in common: ensemble-boxes, on a short lead."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import FUSED, ByTeacher, ImageContext, LabelTransform
from mmcompose.labeling.compute.vote_weights import (
    StackedDetections,
    VoteWeights,
    WeightFactors,
    stacked_masks,
    weight_factors,
)
from mmcompose.structures import Detections, Masks, iou
from mmcompose.utils import Fraction

Floats = NDArray[np.float64]


class OverlapFusion(LabelTransform):
    """Choose among the overlapping boxes of one class, by a function of ensemble-boxes.

    That package swaps, clips and drops boxes with a printed line, and leaves the process on bad
    input: so boxes are made fit before, and what comes back is checked. A box's score is
    multiplied by its teacher's weight over the largest weight among the class's owners: with
    equal weights it stays as it is, whoever else knows the class. A teacher votes for a box that
    one of its own of that class overlaps by more than ``iou_thr``; one that does not own the class
    (see :class:`ResolveHierarchy`) votes, and its boxes are not among those to choose from. A box
    has the mask of the one that lies on it best among those that voted for it and have one.

    Args:
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.55.
        weights: By teacher a factor on its weight, or a dict of factors by class name.
    """

    def __init__(self, iou_thr: Fraction = 0.55, weights: WeightFactors | None = None) -> None:
        self.iou_thr = float(iou_thr)
        self._factors: WeightFactors = weights or {}

    @abstractmethod
    def choose(self, boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
        """Return ``(K, 4)`` boxes and ``(K,)`` scores of one class out of ``(N, 4)``, N > 0.

        Args:
            boxes: Inside [0, 1], with area, by falling score.
            scores: ``(N,)`` in (0, 1].
        """

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        factors = weight_factors(class_space, self._factors)
        self._voters = VoteWeights.of_teachers(class_space, weights, factors)

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        stacked = StackedDetections.from_detections(detections, self.class_space)
        masks = stacked_masks(detections, self.class_space)
        voters = self._voters.of_asked(detections, self.class_space)
        size = np.array([image.width, image.height] * 2, np.float64)
        boxes = (stacked.boxes / size).clip(0, 1)
        weights = voters.weights[stacked.teachers, stacked.labels]
        heaviest = voters.maxima[stacked.labels]
        scores = stacked.scores * weights / np.where(heaviest > 0, heaviest, 1)
        owned = voters.owns[stacked.teachers, stacked.labels]
        fit = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (scores > 0)

        nobody = np.zeros((0, len(self.class_space.teachers)), np.bool_)
        parts = [with_origin(Detections(), nobody, np.zeros(0), np.zeros(0), np.zeros(0))]
        for label in np.unique(stacked.labels[fit & owned]):
            rows = np.flatnonzero(fit & (stacked.labels == label))
            # Tied scores are ordered by the box, or their order would decide.
            ranks = voters.ranks[stacked.teachers[rows]]
            rows = rows[np.lexsort((ranks, *boxes[rows].T[::-1], -scores[rows]))]
            own = rows[owned[rows]]
            chosen, chosen_scores = self.choose(boxes[own].copy(), scores[own].copy())
            _check(chosen, chosen_scores, len(own))
            part = Detections.from_arrays(chosen * size, chosen_scores, np.full(len(chosen), label))
            own_masks = None if masks is None else masks[rows]
            parts.append(self._origin(part, iou(chosen, boxes[rows]), rows, stacked, own_masks))
        return {FUSED: Detections.concatenate(parts).sorted()}

    def _origin(
        self,
        part: Detections,
        overlaps: NDArray[np.floating],
        rows: NDArray[np.int64],
        stacked: StackedDetections,
        masks: Masks | None,
    ) -> Detections:
        # At least the box that overlaps most: iou_thr may be 1.
        voters = (overlaps > self.iou_thr) | (overlaps == overlaps.max(axis=1, keepdims=True))
        teachers = stacked.teachers[rows]
        votes = np.stack(
            [
                voters[:, teachers == teacher].any(axis=1)
                for teacher in range(len(self.class_space.teachers))
            ],
            axis=1,
        )
        best = np.where(voters, stacked.scores[rows], 0).max(axis=1)
        sizes = voters.sum(axis=1)
        spread = 1 - np.where(voters, overlaps, 0).sum(axis=1) / sizes
        part = with_origin(part, votes, best, sizes, spread.clip(0, 1))
        return part if masks is None else replace(part, masks=_best_masks(masks, overlaps, voters))


def with_origin(
    part: Detections,
    votes: NDArray[np.bool_],
    best: NDArray[np.generic],
    sizes: NDArray[np.generic],
    spread: NDArray[np.generic],
) -> Detections:
    """Return the boxes with where each came from; see :class:`Detections`."""
    return replace(
        part,
        votes=votes,
        best_score=best.astype(np.float32),
        cluster_size=sizes.astype(np.int64),
        spread=spread.astype(np.float32),
    )


def _best_masks(masks: Masks, overlaps: NDArray[np.floating], voters: NDArray[np.bool_]) -> Masks:
    """Return for each of K boxes one of the masks of its voters among N, sorted by score."""
    there = np.array([mask is not None for mask in masks])
    overlaps = np.where(voters & there, overlaps, -1)
    # Of two that lie on it alike, the better scored.
    best = overlaps.argmax(axis=1)
    chosen: Masks = masks[best]
    chosen[overlaps[np.arange(len(best)), best] < 0] = None
    return chosen


def _check(boxes: Floats, scores: Floats, given: int) -> None:
    """Hold ensemble-boxes to what it promises; a failure here is no mistake of the user's."""
    assert len(boxes) == len(scores) <= given, f'{len(boxes)} boxes out of {given}'
    assert np.isfinite(boxes).all() and np.isfinite(scores).all()
    assert ((boxes >= 0) & (boxes <= 1)).all() and ((scores >= 0) & (scores <= 1)).all()
