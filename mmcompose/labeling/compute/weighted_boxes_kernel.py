"""Weighted Boxes Fusion over plain arrays, compiled by numba and cached on disk.

The algorithm of Solovyev, Wang, Gabruseva 2021 as the package ensemble-boxes 1.0.9 computes it,
single-precision sums included, so that both decide alike on which boxes belong together.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mmcompose.labeling.compute.vote_weights import StackedDetections, VoteWeights

Floats: TypeAlias = NDArray[np.float64]

CONF_TYPES = ('avg', 'max', 'box_and_model_avg', 'absent_model_aware_avg')
_AVG, _MAX, _BOX_AND_MODEL_AVG, _ABSENT_MODEL_AWARE_AVG = range(4)


class FusionOptions(NamedTuple):
    """How boxes are fused.

    Args:
        iou_thr: Boxes that overlap a cluster by more than this join it.
        skip_box_thr: Boxes with a lower score take no part; in the precision of scores.
        conf_type: Index into ``CONF_TYPES``.
        allows_overflow: Whether 'avg' may count more boxes than teachers.
    """

    iou_thr: float
    skip_box_thr: float
    conf_type: int
    allows_overflow: bool


class FusedBoxes(NamedTuple):
    """K fused boxes by falling score, of N boxes and T teachers.

    Args:
        boxes: ``(K, 4)`` float64, xyxy in pixels.
        scores: ``(K,)`` float64; not cut at 1.
        labels: ``(K,)`` int64.
        votes: ``(K, T)`` bool, which teachers found the box.
        best_scores: ``(K,)`` float64, the best single score.
        sizes: ``(K,)`` int64, of how many boxes each is made.
        spreads: ``(K,)`` float64; see :class:`mmcompose.structures.Detections`.
        rows: ``(N,)`` int64, into which of the fused ones each box went, -1 where it took no part.
    """

    boxes: Floats
    scores: Floats
    labels: NDArray[np.int64]
    votes: NDArray[np.bool_]
    best_scores: Floats
    sizes: NDArray[np.int64]
    spreads: Floats
    rows: NDArray[np.int64]


@njit(cache=True, inline='always')
def _row_before(keys: Floats, first: int, second: int) -> bool:
    for column in range(keys.shape[1]):
        if keys[first, column] != keys[second, column]:
            return bool(keys[first, column] < keys[second, column])
    return False


@njit(cache=True)
def order_rows(keys: Floats) -> NDArray[np.int64]:
    """Return the stable order ``(N,)`` of ``(N, K)`` rows by column 0, ties by 1, and so on."""
    count = len(keys)
    order = np.arange(count)
    merged = np.empty_like(order)
    width = 1
    while width < count:
        for low in range(0, count, 2 * width):
            middle = min(low + width, count)
            high = min(low + 2 * width, count)
            left, right = low, middle
            for place in range(low, high):
                take_right = left == middle or (
                    right < high and _row_before(keys, order[right], order[left])
                )
                if take_right:
                    merged[place] = order[right]
                    right += 1
                else:
                    merged[place] = order[left]
                    left += 1
        order, merged = merged, order
        width *= 2
    return order


@njit(cache=True, inline='always')
def _iou(boxes: Floats, row: int, others: Floats, other: int) -> float:
    wide = min(boxes[row, 2], others[other, 2]) - max(boxes[row, 0], others[other, 0])
    high = min(boxes[row, 3], others[other, 3]) - max(boxes[row, 1], others[other, 1])
    shared = max(wide, 0.0) * max(high, 0.0)
    area = (boxes[row, 2] - boxes[row, 0]) * (boxes[row, 3] - boxes[row, 1])
    other_area = (others[other, 2] - others[other, 0]) * (others[other, 3] - others[other, 1])
    union = area + other_area - shared
    return shared / union if union > 0 else 0.0


@njit(cache=True)
def _eligible(
    stacked: StackedDetections,
    votes: VoteWeights,
    skip_box_thr: float,
    width: float,
    height: float,
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return the boxes that take part, clipped and in [0, 1], their sort keys and their rows."""
    boxes, scores, labels, teachers = stacked
    unit = np.empty((len(boxes), 4))
    keys = np.empty((len(boxes), 9))
    rows = np.empty(len(boxes), np.int64)
    count = 0
    for row in range(len(boxes)):
        # Compiled code does not look whether an index is inside.
        assert 0 <= labels[row] < len(votes.counts)
        weight = votes.weights[teachers[row], labels[row]]
        # A zero score weighs nothing, and two of them would make a NaN box.
        if scores[row] < skip_box_thr or scores[row] * weight <= 0:
            continue
        for side in range(4):
            size = width if side % 2 == 0 else height
            unit[count, side] = min(max(boxes[row, side] / size, 0.0), 1.0)
            keys[count, 3 + side] = unit[count, side]
        area = (unit[count, 2] - unit[count, 0]) * (unit[count, 3] - unit[count, 1])
        if area == 0:
            continue
        keys[count, 0] = labels[row]
        # Owners first: what they make of a class does not depend on who else supports it.
        keys[count, 1] = 0.0 if votes.owns[teachers[row], labels[row]] else 1.0
        keys[count, 2] = -(scores[row] * weight)
        keys[count, 7] = weight
        keys[count, 8] = votes.ranks[teachers[row]]
        rows[count] = row
        count += 1
    return unit[:count], keys[:count], rows[:count]


@njit(cache=True)
def _cluster(
    unit: Floats, keys: Floats, alone: NDArray[np.bool_], iou_thr: float, conf_type: int
) -> tuple[NDArray[np.int64], int, Floats, Floats, Floats]:
    """Put each box, in order, into the cluster that it overlaps most, or into a new one.

    Returns:
        The cluster of each box, -1 for one of no owner that lies on none; how many clusters there
        are; their boxes; their score, size and sum of weights; and the same of their owners alone.
    """
    count = len(unit)
    cluster_of = np.empty(count, np.int64)
    fused = np.empty((count, 4))
    sums = np.empty((count, 4), np.float32)
    score_sums = np.empty(count)
    tallies = np.empty((count, 3))
    of_owners = np.empty((count, 3))
    clusters, first = 0, 0
    for row in range(count):
        label = np.int64(keys[row, 0])
        is_owner = keys[row, 1] == 0
        if row > 0 and keys[row, 0] != keys[row - 1, 0]:
            first = clusters
        best, best_iou = -1, iou_thr
        if not (is_owner and alone[label]):
            for cluster in range(first, clusters):
                overlap = _iou(fused, cluster, unit, row)
                if overlap > best_iou:
                    best, best_iou = cluster, overlap
        cluster_of[row] = best
        if best < 0 and not is_owner:
            continue
        score = -keys[row, 2]
        if best < 0:
            best = clusters
            cluster_of[row] = best
            clusters += 1
            score_sums[best] = score
            tallies[best, 0] = score
            tallies[best, 1] = 1
            tallies[best, 2] = keys[row, 7]
            for side in range(4):
                fused[best, side] = unit[row, side]
                sums[best, side] = np.float32(score * unit[row, side])
        else:
            score_sums[best] += score
            tallies[best, 1] += 1
            tallies[best, 2] += keys[row, 7]
            if conf_type != _MAX:
                tallies[best, 0] = np.float32(score_sums[best] / tallies[best, 1])
            else:
                tallies[best, 0] = max(tallies[best, 0], score)
            for side in range(4):
                sums[best, side] = np.float32(sums[best, side] + score * unit[row, side])
                fused[best, side] = np.float32(sums[best, side] / score_sums[best])
        if is_owner:
            of_owners[best] = tallies[best]
    return cluster_of, clusters, fused, tallies, of_owners


@njit(cache=True)
def _confidence(
    tally: Floats,
    voted: float,
    asked: float,
    heaviest: float,
    count: int,
    conf_type: int,
    allows_overflow: bool,
) -> float:
    """Rescale a cluster's score by who voted for it among those who could."""
    score, size, weight_sum = float(tally[0]), float(tally[1]), float(tally[2])
    if conf_type == _BOX_AND_MODEL_AVG:
        return score * size / weight_sum * voted / asked
    if conf_type == _ABSENT_MODEL_AWARE_AVG:
        return score * size / (weight_sum + max(asked - voted, 0.0))
    if conf_type == _MAX:
        return score / heaviest
    if allows_overflow:
        return score * size / asked
    return score * min(count, size) / asked


@njit(cache=True)
def fuse_boxes(
    stacked: StackedDetections,
    voters: VoteWeights,
    options: FusionOptions,
    width: float,
    height: float,
) -> FusedBoxes:
    """Fuse the boxes of one image, each class by itself.

    Another teacher's box than an owner's joins that of owners which it overlaps most, and never
    lowers its score; where there is none, it takes no part.

    Args:
        stacked: The boxes.
        voters: Of the teachers.
        options: How they are fused.
        width: Of the image, in pixels.
        height: Likewise.
    """
    scores, labels, teachers = stacked.scores, stacked.labels, stacked.teachers
    owns, counts, totals, maxima = voters.owns, voters.counts, voters.totals, voters.maxima
    conf_type, allows_overflow = options.conf_type, options.allows_overflow
    unit, keys, rows = _eligible(stacked, voters, options.skip_box_thr, width, height)
    order = order_rows(keys)
    unit, keys, rows = unit[order], keys[order], rows[order]
    cluster_of, clusters, fused, tallies, of_owners = _cluster(
        unit, keys, voters.alone, options.iou_thr, conf_type
    )

    votes = np.zeros((clusters, len(owns)), np.bool_)
    best_scores = np.zeros(clusters)
    overlaps = np.zeros(clusters)
    # Of owners, and of others that voted too.
    voted = np.zeros((clusters, 2))
    others = np.zeros(clusters, np.int64)
    heaviest = np.zeros(clusters)
    result_keys = np.full((clusters, 7), -1.0)
    for place in range(len(rows)):
        row, cluster = rows[place], cluster_of[place]
        if cluster < 0:
            continue
        teacher, label = teachers[row], labels[row]
        if result_keys[cluster, 1] < 0:
            result_keys[cluster, 1] = label
            result_keys[cluster, 6] = keys[place, 8]
            heaviest[cluster] = maxima[label]
        if not votes[cluster, teacher]:
            votes[cluster, teacher] = True
            other = 0 if owns[teacher, label] else 1
            voted[cluster, other] += keys[place, 7]
            others[cluster] += other
            heaviest[cluster] = max(heaviest[cluster], keys[place, 7])
        best_scores[cluster] = max(best_scores[cluster], scores[row])
        overlaps[cluster] += _iou(fused, cluster, unit, place)

    fused_scores = np.empty(clusters)
    for cluster in range(clusters):
        label = np.int64(result_keys[cluster, 1])
        fused_scores[cluster] = _confidence(
            of_owners[cluster],
            voted[cluster, 0],
            totals[label],
            maxima[label],
            counts[label],
            conf_type,
            allows_overflow,
        )
        if others[cluster]:
            supported = _confidence(
                tallies[cluster],
                voted[cluster].sum(),
                totals[label] + voted[cluster, 1],
                heaviest[cluster],
                counts[label] + others[cluster],
                conf_type,
                allows_overflow,
            )
            fused_scores[cluster] = max(fused_scores[cluster], supported)
        overlaps[cluster] = max(1.0 - overlaps[cluster] / tallies[cluster, 1], 0.0)
        result_keys[cluster, 0] = -fused_scores[cluster]
        for side in range(4):
            # Single precision may round a corner past the border.
            corner = min(max(fused[cluster, side], 0.0), 1.0)
            fused[cluster, side] = corner * (width if side % 2 == 0 else height)
            result_keys[cluster, 2 + side] = fused[cluster, side]
    order = order_rows(result_keys)
    fused_labels = result_keys[order, 1].astype(np.int64)
    row_of = np.empty(clusters, np.int64)
    row_of[order] = np.arange(clusters)
    members = np.full(len(scores), -1, np.int64)
    for place in range(len(rows)):
        if cluster_of[place] >= 0:
            members[rows[place]] = row_of[cluster_of[place]]
    return FusedBoxes(
        fused[:clusters][order],
        fused_scores[order],
        fused_labels,
        votes[order],
        best_scores[order],
        tallies[:clusters, 1][order].astype(np.int64),
        overlaps[order],
        members,
    )
