"""Which detections are right: the greedy matching of the VOC and COCO evaluations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.structures import Detections, iou

RIGHT, WRONG, UNJUDGED = 1, 0, -1


def judge(found: Detections, truth: Detections, iou_thr: float = 0.5) -> NDArray[np.int8]:
    """Match the boxes of one image, the most confident first, to true boxes of their class.

    Args:
        found: What is judged.
        truth: What is there; a box that only matches one with ``ignore`` is not judged.
        iou_thr: A match overlaps at least this much. Defaults to 0.5.

    Returns:
        ``(N,)`` int8: 1 right, 0 wrong, -1 not judged.
    """
    verdicts = np.full(len(found), WRONG, np.int8)
    if not len(found) or not len(truth):
        return verdicts
    ignored = np.zeros(len(truth), np.bool_) if truth.ignore is None else truth.ignore
    overlaps = iou(found.boxes, truth.boxes)
    overlaps[found.labels[:, None] != truth.labels[None, :]] = 0
    free = ~ignored
    order = np.lexsort((*found.boxes.T[::-1], -found.scores))
    for row in order[(overlaps[order] >= iou_thr).any(axis=1)]:
        candidates = np.where(free, overlaps[row], 0)
        best = int(candidates.argmax())
        if candidates[best] >= iou_thr:
            free[best] = False
            verdicts[row] = RIGHT
        elif (overlaps[row][ignored] >= iou_thr).any():
            verdicts[row] = UNJUDGED
    return verdicts
