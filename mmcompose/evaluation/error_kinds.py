"""What is wrong with detections: the kinds of TIDE (Bolya et al. 2020), counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.matching import RIGHT, UNJUDGED, judge, match
from mmcompose.structures import Detections, iou

# A box is on an object from the first overlap on, and near one from the second.
_ON, _NEAR = 0.5, 0.1
# In the order in which they are shown: of a box each is what it is, 'missed' is of a true box.
KINDS = (
    'right',
    'localization',
    'classification',
    'both',
    'duplicate',
    'background',
    'missed',
)
_UNJUDGED = -1


def error_kinds(
    found: Sequence[Detections], truth: Sequence[Detections], as_many: bool = True
) -> dict[str, int]:
    """Count boxes that are right and boxes of each kind of error.

    A wrong box is an error of localization (IoU 0.1 to 0.5 with an object of its class), of
    classification (from 0.5 on with one of another), of both, a duplicate of an object that was
    found, or background (less than 0.1 with any). An object is missed that no right box and no
    error of localization or classification is on. TIDE goes on to what each kind costs in AP;
    here they are counted.

    Args:
        found: Of each image; boxes to be ignored are left out.
        truth: Of the same images; a box that only matches one to be ignored is not counted.
        as_many: Whether to count the surest boxes alone, as many as there are true ones: scores
            of different detectors are not comparable. Defaults to True.

    Returns:
        By each of :data:`KINDS` how many.
    """
    found = [each.kept() for each in found]
    if as_many:
        found = _surest(found, sum(len(each.kept()) for each in truth))
    counts = np.zeros(len(KINDS), np.int64)
    for boxes, there in zip(found, truth, strict=True):
        kinds, missed = _kinds(boxes, there)
        counts += np.bincount(kinds[kinds != _UNJUDGED], minlength=len(KINDS))
        counts[KINDS.index('missed')] += missed
    return dict(zip(KINDS, counts.tolist(), strict=True))


def _surest(found: Sequence[Detections], count: int) -> list[Detections]:
    """Return of each image its boxes among the surest of all; of a tie, the first ones."""
    scores = np.concatenate([each.scores for each in found] or [np.zeros(0, np.float32)])
    if len(scores) <= count:
        return list(found)
    is_sure = np.zeros(len(scores), bool)
    is_sure[np.argsort(-scores, kind='stable')[:count]] = True
    ends = np.cumsum([len(each) for each in found])[:-1]
    return [each[sure] for each, sure in zip(found, np.split(is_sure, ends), strict=True)]


def _kinds(found: Detections, truth: Detections) -> tuple[NDArray[np.int64], int]:
    """Return each box's kind, by its place in ``KINDS``, and how many objects are missed."""
    there = truth.kept()
    matched, verdicts = match(found, there, _ON), judge(found, truth, _ON)
    overlaps = iou(found.boxes, there.boxes)
    same = found.labels[:, None] == there.labels
    own, other = np.where(same, overlaps, 0), np.where(same, 0, overlaps)
    best_own, best_other = own.max(axis=1, initial=0), other.max(axis=1, initial=0)
    number = {name: place for place, name in enumerate(KINDS)}
    placed = (verdicts != RIGHT) & (best_own >= _NEAR) & (best_own < _ON)
    named = (verdicts != RIGHT) & ~placed & (best_other >= _ON)
    kinds = np.select(
        [
            verdicts == UNJUDGED,
            verdicts == RIGHT,
            placed,
            named,
            best_own >= _ON,
            best_other >= _NEAR,
        ],
        [
            _UNJUDGED,
            number['right'],
            number['localization'],
            number['classification'],
            number['duplicate'],
            number['both'],
        ],
        number['background'],
    )
    touched = np.zeros(len(there), bool)
    touched[matched[matched >= 0]] = True
    if len(there):
        touched[own[placed].argmax(axis=1)] = True
        touched[other[named].argmax(axis=1)] = True
    return kinds.astype(np.int64), int((~touched).sum())
