"""What boxes and whole pictures look like, by the features of the cells that they cover."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mmcompose.labeling.compute.half_precision import in_single
from mmcompose.labeling.compute.sampling import key_hash
from mmcompose.structures import Detections

Floats = NDArray[np.float32]

# No picture is judged by what was learned from itself: pictures are divided into so many parts,
# and a part is judged by what the others teach. Five is the usual number; 2 to 10 named boxes
# of true objects alike within 0.02.
FOLDS = 5


def fold_of(key: str) -> int:
    """Return the part of a picture, by a hash of its key: the same however a pool is split."""
    return key_hash(key) % FOLDS


def box_features(cells: Detections, boxes: NDArray[np.floating]) -> Floats:
    """Return ``(N, D)`` float32 of length 1: the mean of the cells, by the area that a box covers.

    Args:
        cells: The cells of the picture, with ``features``.
        boxes: ``(N, 4)`` xyxy in pixels of the same picture; zeros where one covers no cell.
    """
    assert cells.features is not None
    covered = _covered(np.asarray(boxes, np.float32), cells.boxes)
    return _unit(covered @ in_single(cells.features))


@njit(cache=True)
def _covered(boxes: Floats, cells: Floats) -> Floats:
    """Return ``(N, M)``: the area that each box covers of each cell."""
    none = np.float32(0)
    areas = np.empty((len(boxes), len(cells)), np.float32)
    for row in range(len(boxes)):
        for cell in range(len(cells)):
            width = min(boxes[row, 2], cells[cell, 2]) - max(boxes[row, 0], cells[cell, 0])
            height = min(boxes[row, 3], cells[cell, 3]) - max(boxes[row, 1], cells[cell, 1])
            areas[row, cell] = max(width, none) * max(height, none)
    return areas


def picture_features(cells: Detections) -> Floats:
    """Return ``(D,)`` float32 of length 1: the mean of all cells."""
    assert cells.features is not None
    even = np.ones((1, len(cells)), np.float32)
    unit: Floats = _unit(even @ in_single(cells.features))[0]
    return unit


def _unit(features: Floats) -> Floats:
    lengths = np.sqrt(np.einsum('nd,nd->n', features, features))
    unit: Floats = features / np.maximum(lengths, 1e-9)[:, None]
    return unit
