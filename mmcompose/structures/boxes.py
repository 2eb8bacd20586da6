"""Areas and overlaps of xyxy boxes; pure numpy."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Boxes: TypeAlias = NDArray[np.floating]


def areas(boxes: Boxes) -> Boxes:
    """Return the area of each of ``(N, 4)`` xyxy boxes as ``(N,)``, in square pixels."""
    size: Boxes = boxes[:, 2:] - boxes[:, :2]
    return size[:, 0] * size[:, 1]


def intersections(first: Boxes, second: Boxes) -> Boxes:
    """Return the ``(N, M)`` areas that ``(N, 4)`` and ``(M, 4)`` xyxy boxes share."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared: Boxes = (high - low).clip(0).prod(axis=2)
    return shared


def iou(first: Boxes, second: Boxes) -> Boxes:
    """Return the ``(N, M)`` intersections over union; 0 for two boxes without area."""
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    out = np.zeros(shared.shape, np.result_type(shared, np.float32))
    return np.divide(shared, union, out=out, where=union > 0)


def covered_shares(first: Boxes, second: Boxes) -> Boxes:
    """Return ``(N, M)``, which share of each first box lies in each second; 0 without area."""
    shared = intersections(first, second)
    whole = areas(first)[:, None]
    out = np.zeros(shared.shape, np.result_type(shared, np.float32))
    return np.divide(shared, whole, out=out, where=whole > 0)
