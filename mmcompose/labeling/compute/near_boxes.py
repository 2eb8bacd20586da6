"""Which boxes can overlap enough to be one object, found without a look at all pairs; compiled.

Boxes whose IoU is at least t differ in their left sides by no more than a share of their width:
among boxes sorted by that side, those near a box stand side by side. Overlaps are computed in
single precision and in the order of :func:`mmcompose.structures.iou`, so that both decide alike.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Boxes: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = NDArray[np.int64]


class SortedBoxes(NamedTuple):
    """M boxes by class, and in each by their left side.

    Args:
        rows: ``(M,)``, the boxes in that order.
        left: ``(M,)`` float64, their left sides.
        starts: ``(C + 1,)``, where each class begins.
    """

    rows: Rows
    left: NDArray[np.float64]
    starts: Rows


@njit(cache=True)
def by_class(boxes: Boxes, labels: Rows, classes: int) -> SortedBoxes:
    """Sort boxes ``(M, 4)`` with labels ``(M,)`` in [0, classes)."""
    starts = np.zeros(classes + 1, np.int64)
    for row in range(len(labels)):
        starts[labels[row] + 1] += 1
    starts = np.cumsum(starts)
    free = starts.copy()
    rows = np.empty(len(labels), np.int64)
    left = np.empty(len(labels), np.float64)
    for row in np.argsort(boxes[:, 0]):
        place = free[labels[row]]
        free[labels[row]] += 1
        rows[place] = row
        left[place] = boxes[row, 0]
    return SortedBoxes(rows, left, starts)


@njit(cache=True)
def bounds(start: float, stop: float, iou_thr: float) -> tuple[float, float]:
    """Return between which values another box's side lies if both overlap enough.

    Args:
        start: A box's left or upper side.
        stop: The side opposite.
        iou_thr: What is enough.
    """
    length = stop - start
    # What single precision may lose.
    slack = 1e-3 * length + 1e-5 * abs(stop)
    low = start - (1 - iou_thr) / max(iou_thr, 1e-6) * length - slack
    return low, start + (1 - iou_thr) * length + slack


@njit(cache=True)
def window(there: SortedBoxes, label: int, box: Boxes, iou_thr: float) -> tuple[int, int]:
    """Return between which places boxes of a class can overlap a box ``(4,)`` enough."""
    low, high = bounds(float(box[0]), float(box[2]), iou_thr)
    first, end = there.starts[label], there.starts[label + 1]
    left = there.left[first:end]
    return (
        first + np.searchsorted(left, low, side='left'),
        first + np.searchsorted(left, high, side='right'),
    )


@njit(cache=True, inline='always')
def overlap(boxes: Boxes, row: int, others: Boxes, other: int) -> np.float32:
    """Return the IoU of two boxes, in single precision."""
    zero = np.float32(0)
    high = min(boxes[row, 3], others[other, 3]) - max(boxes[row, 1], others[other, 1])
    if high <= zero:
        return zero
    wide = min(boxes[row, 2], others[other, 2]) - max(boxes[row, 0], others[other, 0])
    if wide <= zero:
        return zero
    shared = wide * high
    area = (boxes[row, 2] - boxes[row, 0]) * (boxes[row, 3] - boxes[row, 1])
    other_area = (others[other, 2] - others[other, 0]) * (others[other, 3] - others[other, 1])
    share: np.float32 = shared / (area + other_area - shared)
    return share


@njit(cache=True)
def near_pairs(boxes: Boxes, labels: Rows, classes: int, iou_thr: float) -> tuple[Rows, Rows]:
    """Return both rows of each pair of boxes ``(M, 4)`` of one class that overlap enough."""
    least = np.float32(max(iou_thr, 1e-6))
    there = by_class(boxes, labels, classes)
    ordered = boxes[there.rows]
    tops = np.ascontiguousarray(ordered[:, 1])
    near = np.empty(len(boxes) + 1, np.int64)
    first, second = [0 for _ in range(0)], [0 for _ in range(0)]
    for label in range(classes):
        end = there.starts[label + 1]
        for place in range(there.starts[label], end):
            box = ordered[place]
            _, limit = bounds(float(box[0]), float(box[2]), iou_thr)
            stop = place + 1 + np.searchsorted(there.left[place + 1 : end], limit, side='right')
            low, high = bounds(float(box[1]), float(box[3]), iou_thr)
            # Without a branch: of many boxes beside this one few are as high.
            count = 0
            for after in range(place + 1, stop):
                near[count] = after
                count += (low <= tops[after]) & (tops[after] <= high)
            for after in near[:count]:
                if overlap(ordered, place, ordered, after) >= least:
                    first.append(there.rows[place])
                    second.append(there.rows[after])
    return np.array(first, np.int64), np.array(second, np.int64)


def pairs_of_classes(boxes: Boxes, iou_thr: float) -> tuple[Rows, Rows]:
    """Return both rows of each pair of boxes ``(M, 4)``, of any class, that overlap more."""
    above = float(np.nextafter(np.float32(iou_thr), np.float32(2)))
    return near_pairs(boxes, np.zeros(len(boxes), np.int64), 1, above)


@njit(cache=True)
def first_of_each_place(boxes: Boxes, labels: Rows, iou_thr: float) -> NDArray[np.bool_]:
    """Return ``(M,)``: boxes ``(M, 4)`` that overlap no kept earlier one of their class so much."""
    least = np.float32(iou_thr)
    kept = np.ones(len(boxes), np.bool_)
    for row in range(1, len(boxes)):
        for before in range(row):
            if kept[before] and labels[before] == labels[row]:
                if overlap(boxes, row, boxes, before) >= least:
                    kept[row] = False
                    break
    return kept


@njit(cache=True)
def cover_half(boxes: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """Return ``(M,)``: whether a box ``(M, 4)`` covers at least half of another ``(K, 4)``."""
    zero, half = np.float32(0), np.float32(0.5)
    covers = np.zeros(len(boxes), np.bool_)
    for row in range(len(boxes)):
        for other in range(len(others)):
            wide = min(boxes[row, 2], others[other, 2]) - max(boxes[row, 0], others[other, 0])
            high = min(boxes[row, 3], others[other, 3]) - max(boxes[row, 1], others[other, 1])
            if wide > zero and high > zero:
                size = others[other, 2] - others[other, 0]
                area = size * (others[other, 3] - others[other, 1])
                if wide * high >= half * area:
                    covers[row] = True
                    break
    return covers


@njit(cache=True)
def best_scores(
    boxes: Boxes,
    labels: Rows,
    others: Boxes,
    other_labels: Rows,
    scores: NDArray[np.float32],
    classes: int,
    iou_thr: float,
) -> NDArray[np.float32]:
    """Return ``(M,)``: of each box the best score of another of its class there, -1 for none.

    Args:
        boxes: ``(M, 4)``.
        labels: ``(M,)`` in [0, classes).
        others: ``(K, 4)``.
        other_labels: ``(K,)``, likewise.
        scores: ``(K,)``, of the others.
        classes: How many there are.
        iou_thr: Those that overlap at least this much are there.
    """
    least = np.float32(max(iou_thr, 1e-6))
    best = np.full(len(boxes), np.float32(-1))
    there = by_class(others, other_labels, classes)
    for row in range(len(boxes)):
        begin, end = window(there, labels[row], boxes[row], max(iou_thr, 1e-6))
        for place in range(begin, end):
            other = there.rows[place]
            if scores[other] > best[row] and overlap(boxes, row, others, other) >= least:
                best[row] = scores[other]
    return best
