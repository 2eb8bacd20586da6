"""What the boxes of images show of who works there: which are confirmed by whom; compiled.

A box is confirmed by other owners of its class. Where there is none, by all others, for a box
of any class: who does not know a boat may still take it for something, and something is there.
What two others show of one box is no more than one opinion of it, and n boxes of an image, which
stand or fall together, count as the square root of n; those that stand alone are counted apart.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mmcompose.labeling.compute.near_boxes import Boxes, Rows, by_class, near_pairs, overlap, window
from mmcompose.labeling.compute.pool_arrays import PoolArrays

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


@njit(cache=True)
def _confirmed_here(
    boxes: Boxes, labels: Rows, teachers: Rows, alone: Flags, shape: tuple[int, int], iou_thr: float
) -> Flags:
    """Return ``(n, T)``: whether a teacher has a box there, of the class unless it stands alone."""
    confirmed = np.zeros((len(boxes), shape[0]), np.bool_)
    first, second = near_pairs(boxes, labels, shape[1], iou_thr)
    for row, other in zip(first, second):
        confirmed[row, teachers[other]] = True
        confirmed[other, teachers[row]] = True
    _confirm_alone(confirmed, boxes, alone, boxes, teachers, iou_thr)
    return confirmed


@njit(cache=True)
def _confirmed_elsewhere(
    boxes: Boxes,
    labels: Rows,
    alone: Flags,
    others: Boxes,
    other_labels: Rows,
    other_teachers: Rows,
    shape: tuple[int, int],
    iou_thr: float,
) -> Flags:
    """Return the same as if the boxes of another image stood here."""
    least = np.float32(max(iou_thr, 1e-6))
    confirmed = np.zeros((len(boxes), shape[0]), np.bool_)
    there = by_class(others, other_labels, shape[1])
    for row in range(len(boxes)):
        begin, end = window(there, labels[row], boxes[row], max(iou_thr, 1e-6))
        for place in range(begin, end):
            other = there.rows[place]
            if overlap(boxes, row, others, other) >= least:
                confirmed[row, other_teachers[other]] = True
    _confirm_alone(confirmed, boxes, alone, others, other_teachers, iou_thr)
    return confirmed


@njit(cache=True)
def _confirm_alone(
    confirmed: Flags, boxes: Boxes, alone: Flags, others: Boxes, teachers: Rows, iou_thr: float
) -> None:
    """Set who confirms boxes that stand alone, by boxes of any class."""
    if not alone.any():
        return
    least = np.float32(max(iou_thr, 1e-6))
    there = by_class(others, np.zeros(len(others), np.int64), 1)
    for row in range(len(boxes)):
        if alone[row]:
            confirmed[row] = False
            begin, end = window(there, 0, boxes[row], max(iou_thr, 1e-6))
            for place in range(begin, end):
                other = there.rows[place]
                if overlap(boxes, row, others, other) >= least:
                    confirmed[row, teachers[other]] = True


@njit(cache=True)
def _other_owners(
    labels: Rows, teachers: Rows, owns: Flags, predicted: Flags
) -> tuple[Flags, Flags, Floats]:
    """Return the other owners of each box's class ``(n, T)``, which stand alone, and their shares.

    Those that did not predict on the image ``(T,)`` are among none.
    """
    count = len(owns)
    other_owners = np.zeros((len(labels), count), np.bool_)
    alone = np.ones(len(labels), np.bool_)
    shares = np.zeros((len(labels), count))
    together = np.zeros((2, count, count))
    for row in range(len(labels)):
        teacher, label = teachers[row], labels[row]
        if owns[teacher, label]:
            for other in range(count):
                is_owner = other != teacher and owns[other, label]
                other_owners[row, other] = is_owner and predicted[other]
                alone[row] &= not is_owner
        if alone[row]:
            other_owners[row] = predicted
            other_owners[row, teacher] = False
        total = other_owners[row].sum()
        for other in range(count):
            if other_owners[row, other]:
                shares[row, other] = 1 / total
                together[int(alone[row]), teacher, other] += 1 / total
    for row in range(len(labels)):
        for other in range(count):
            if other_owners[row, other]:
                opinions = together[int(alone[row]), teachers[row], other]
                shares[row, other] /= np.sqrt(max(opinions, 1.0))
    return other_owners, alone, shares


@njit(cache=True)
def _levels(scores: NDArray[np.float32], teachers: Rows, edges: NDArray[np.float32]) -> Rows:
    levels = np.zeros(len(scores), np.int64)
    for row in range(len(scores)):
        for edge in edges[teachers[row]]:
            levels[row] += scores[row] >= edge
    return levels


@njit(cache=True)
def _count(
    boxes: Boxes,
    scores: NDArray[np.float32],
    labels: Rows,
    starts: Rows,
    owns: Flags,
    predicted: Flags,
    teachers: Rows,
    sorted_rows: Rows,
    edges: NDArray[np.float32],
    iou_thr: float,
) -> tuple[NDArray[np.float32], Floats]:
    count, classes = owns.shape
    images = (len(starts) - 1) // count
    shape = (count, count, 2, edges.shape[1] + 1, 2)
    counts = np.zeros((images, *shape), np.float32)
    chance = np.zeros(shape)
    # Where the boxes begin and end that each teacher had of each class when it last had any.
    last = np.zeros((count, classes, 2), np.int64)
    elsewhere = np.empty(len(labels), np.int64)
    for image in range(images):
        begin, end = starts[image * count], starts[(image + 1) * count]
        own, whose, found = labels[begin:end], teachers[begin:end], boxes[begin:end]
        num_elsewhere = 0
        row = begin
        while row < end:
            teacher, label = teachers[row], labels[sorted_rows[row]]
            until = row
            while (
                until < end and teachers[until] == teacher and labels[sorted_rows[until]] == label
            ):
                until += 1
            for place in range(last[teacher, label, 0], last[teacher, label, 1]):
                elsewhere[num_elsewhere] = sorted_rows[place]
                num_elsewhere += 1
            last[teacher, label, 0] = row
            last[teacher, label, 1] = until
            row = until
        others = elsewhere[:num_elsewhere]
        other_owners, alone, shares = _other_owners(own, whose, owns, predicted[image])
        levels = _levels(scores[begin:end], whose, edges)
        here = _confirmed_here(found, own, whose, alone, owns.shape, iou_thr)
        there = _confirmed_elsewhere(
            found,
            own,
            alone,
            boxes[others],
            labels[others],
            teachers[others],
            owns.shape,
            iou_thr,
        )
        for row in range(end - begin):
            for other in range(count):
                if other_owners[row, other]:
                    kind = (whose[row], other, int(alone[row]), levels[row])
                    counts[image][kind][int(here[row, other])] += shares[row, other]
                    chance[kind][int(there[row, other])] += shares[row, other]
    return counts, chance


def count_evidence(
    pool: PoolArrays, sizes: NDArray[np.int32], edges: Floats, iou_thr: float
) -> tuple[NDArray[np.float32], Floats]:
    """Count boxes by whether they are confirmed in their image, and by chance alone.

    Boxes that a teacher had of a class in the last image in which it had any confirm those of this
    one by chance alone.

    Args:
        pool: The boxes.
        sizes: ``(I, 2)``, width and height of the images.
        edges: ``(T, L - 1)``, the scores between each teacher's levels.
        iou_thr: Boxes confirm each other if they overlap at least this much.

    Returns:
        ``(I, T, T, 2, L, 2)``, by image, whose boxes, by whom, whether nobody else owns the class,
        level of score, and whether confirmed; and over all ``(T, T, 2, L, 2)`` by chance.
    """
    per_image = np.diff(pool.starts[:: len(pool.owns)])
    scale = np.tile(sizes, 2).astype(np.float32)
    boxes = (pool.boxes / np.repeat(scale, per_image, axis=0)).astype(np.float32)
    segments = np.repeat(np.arange(len(pool.starts) - 1), np.diff(pool.starts))
    by_label = np.lexsort((pool.labels, segments))
    thresholds = edges.astype(np.float32)
    return _count(boxes, *pool[1:], pool.teachers, by_label, thresholds, iou_thr)


@njit(cache=True)
def _ratios(
    boxes: Boxes,
    scores: NDArray[np.float32],
    labels: Rows,
    starts: Rows,
    owns: Flags,
    predicted: Flags,
    teachers: Rows,
    edges: NDArray[np.float32],
    log_ratios: Floats,
    iou_thr: float,
) -> Floats:
    count = len(owns)
    images = (len(starts) - 1) // count
    ratios = np.zeros((images, count, count))
    for image in range(images):
        begin, end = starts[image * count], starts[(image + 1) * count]
        own, whose, found = labels[begin:end], teachers[begin:end], boxes[begin:end]
        other_owners, alone, shares = _other_owners(own, whose, owns, predicted[image])
        levels = _levels(scores[begin:end], whose, edges)
        here = _confirmed_here(found, own, whose, alone, owns.shape, iou_thr)
        for row in range(end - begin):
            for other in range(count):
                if other_owners[row, other]:
                    kind = (whose[row], other, int(alone[row]), levels[row])
                    ratio = log_ratios[kind][int(here[row, other])]
                    ratios[image, whose[row], other] += ratio * shares[row, other]
    return ratios


def evidence_ratios(pool: PoolArrays, edges: Floats, log_ratios: Floats, iou_thr: float) -> Floats:
    """Return ``(I, T, T)``, by how much the boxes of one are likelier where it and another work.

    Args:
        pool: The boxes.
        edges: As in :func:`count_evidence`; and the last, too.
        log_ratios: ``(T, T, 2, L, 2)``, the same of one box.
        iou_thr: See above.
    """
    return _ratios(*pool, pool.teachers, edges.astype(np.float32), log_ratios, iou_thr)
