"""Which detections are right: the greedy matching of the VOC and COCO evaluations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.structures import Detections, covered_shares, iou

RIGHT, WRONG, UNJUDGED = 1, 0, -1


def match(found: Detections, truth: Detections, iou_thr: float = 0.5) -> NDArray[np.int64]:
    """Match the boxes of one image, the most confident first, to true boxes of their class.

    Args:
        found: What is matched.
        truth: What is there; boxes with ``ignore`` are left out.
        iou_thr: A match overlaps at least this much. Defaults to 0.5.

    Returns:
        ``(N,)`` int64: the row of ``truth`` that a box found, each row once; -1 for none.
    """
    return _greedy(found, _overlaps(found, truth), truth.is_ignored, iou_thr)


def judge(found: Detections, truth: Detections, iou_thr: float = 0.5) -> NDArray[np.int8]:
    """Return of each box of one image whether it is right; see :func:`match`.

    Args:
        found: What is judged.
        truth: What is there. A box that finds nothing and of which this much lies in one with
            ``ignore`` is not judged: as in COCO's evaluation, that may be a whole crowd.
        iou_thr: A match overlaps at least this much. Defaults to 0.5.

    Returns:
        ``(N,)`` int8: 1 right, 0 wrong, -1 not judged.
    """
    overlaps, ignored = _overlaps(found, truth), truth.is_ignored
    crowds = truth[ignored]
    of_class = found.labels[:, None] == crowds.labels
    doubtful = (of_class & (covered_shares(found.boxes, crowds.boxes) >= iou_thr)).any(axis=1)
    verdicts = np.where(doubtful, UNJUDGED, WRONG).astype(np.int8)
    verdicts[_greedy(found, overlaps, ignored, iou_thr) >= 0] = RIGHT
    return verdicts


def _greedy(
    found: Detections,
    overlaps: NDArray[np.floating],
    ignored: NDArray[np.bool_],
    iou_thr: float,
) -> NDArray[np.int64]:
    matched = np.full(len(found), -1, np.int64)
    if not overlaps.size:
        return matched
    free = ~ignored
    order = np.lexsort((*found.boxes.T[::-1], -found.scores))
    for row in order[(overlaps[order] >= iou_thr).any(axis=1)]:
        candidates = np.where(free, overlaps[row], 0)
        best = int(candidates.argmax())
        if candidates[best] >= iou_thr:
            free[best] = False
            matched[row] = best
    return matched


def _overlaps(found: Detections, truth: Detections) -> NDArray[np.floating]:
    """Return the IoUs ``(N, M)``, 0 where the classes differ."""
    same = found.labels[:, None] == truth.labels[None, :]
    return np.where(same, iou(found.boxes, truth.boxes), 0)
