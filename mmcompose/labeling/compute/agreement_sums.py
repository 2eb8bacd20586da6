"""How much the boxes of teachers agree, summed over images; compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mmcompose.labeling.compute.near_boxes import Boxes, Rows, near_pairs, overlap
from mmcompose.labeling.compute.pool_arrays import PoolArrays

Floats = NDArray[np.float64]


class AgreementSums(NamedTuple):
    """Sums of T teachers and C classes.

    Args:
        agreed: ``(T, T, C)``, products of the scores of agreeing boxes, where both are trusted.
        squares: ``(T, T, C)``, squares of the first's scores, where both are trusted.
        claimed: ``(T, C)``, squares of all scores: what a teacher claims, trusted or not.
        confirmed: ``(T,)``, cubes of the scores of agreeing boxes, times what the other scores.
        confirmers: ``(T,)``, the same of the scores themselves.
    """

    agreed: Floats
    squares: Floats
    claimed: Floats
    confirmed: Floats
    confirmers: Floats


def sum_agreements(pool: PoolArrays, trust: Floats, iou_thr: float) -> AgreementSums:
    """Sum over images.

    Args:
        pool: The boxes.
        trust: ``(I, T)``, how far each teacher is trusted in each image; 0 where it did not
            predict.
        iou_thr: Boxes of one class agree if they overlap at least this much, and each other more
            than any other of the two teachers.
    """
    return AgreementSums(*_sum(*pool[:-1], pool.teachers, trust, iou_thr))


@njit(cache=True)
def _sum(
    boxes: Boxes,
    scores: NDArray[np.float32],
    labels: Rows,
    starts: Rows,
    owns: NDArray[np.bool_],
    teachers: Rows,
    trust: Floats,
    iou_thr: float,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    count, classes = owns.shape
    agreed = np.zeros((count, count, classes))
    squares = np.zeros((count, count, classes))
    claimed = np.zeros((count, classes))
    confirmed, confirmers = np.zeros(count), np.zeros(count)
    for image in range(len(trust)):
        begin, end = starts[image * count], starts[(image + 1) * count]
        own, whose = labels[begin:end], teachers[begin:end]
        found, own_scores = boxes[begin:end], scores[begin:end]
        partners = _partners(found, own_scores, own, whose, owns.shape, iou_thr)
        for row in range(end - begin):
            one, label = whose[row], own[row]
            score = np.float64(own_scores[row])
            claimed[one, label] += score * score
            for other in range(count):
                trusted = trust[image, one] * trust[image, other]
                squares[one, other, label] += trusted * score * score
                partner = partners[row, other]
                if other > one and partner >= 0 and partners[partner, one] == row:
                    its = np.float64(own_scores[partner])
                    agreed[one, other, label] += trusted * score * its
                    confirmed[one] += trusted * score**3 * its
                    confirmed[other] += trusted * score * its**3
                    confirmers[one] += trusted * score * its
                    confirmers[other] += trusted * score * its
    return agreed, squares, claimed, confirmed, confirmers


@njit(cache=True)
def _partners(
    boxes: Boxes,
    scores: NDArray[np.float32],
    labels: Rows,
    teachers: Rows,
    shape: tuple[int, int],
    iou_thr: float,
) -> Rows:
    """Return ``(n, T)``: each teacher's box of its class that a box overlaps most, -1 for none."""
    partners = np.full((len(boxes), shape[0]), -1)
    most = np.zeros((len(boxes), shape[0]), np.float32)
    first, second = near_pairs(boxes, labels, shape[1], iou_thr)
    for row, other in zip(first, second):
        if teachers[row] != teachers[other]:
            shared = overlap(boxes, row, boxes, other)
            for one, its in ((row, other), (other, row)):
                best = partners[one, teachers[its]]
                least = most[one, teachers[its]]
                if (
                    best < 0
                    or shared > least
                    or (shared == least and _comes_first(boxes, scores, its, best))
                ):
                    partners[one, teachers[its]] = its
                    most[one, teachers[its]] = shared
    return partners


@njit(cache=True)
def _comes_first(boxes: Boxes, scores: NDArray[np.float32], row: int, other: int) -> bool:
    """Return whether a box has the higher score; of two that score alike, by the boxes."""
    if scores[row] != scores[other]:
        return bool(scores[row] > scores[other])
    for side in range(4):
        if boxes[row, side] != boxes[other, side]:
            return bool(boxes[row, side] < boxes[other, side])
    return False
