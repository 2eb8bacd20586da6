"""What boxes and whole pictures look like, by the features of the cells that they cover."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

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


def in_single_precision(cells: Detections) -> Detections:
    """Return cells with float32 features, so that they are converted once an image."""
    assert cells.features is not None
    return replace(cells, features=cells.features.astype(np.float32))


def box_features(cells: Detections, boxes: NDArray[np.floating]) -> Floats:
    """Return ``(N, D)`` float32 of length 1: the mean of the cells, by the area that a box covers.

    Args:
        cells: The cells of the picture, with ``features``.
        boxes: ``(N, 4)`` xyxy in pixels of the same picture; zeros where one covers no cell.
    """
    assert cells.features is not None
    boxes = np.asarray(boxes, np.float32)
    covered = np.ones((len(boxes), len(cells)), np.float32)
    for low, high in ((0, 2), (1, 3)):
        begin = np.maximum(boxes[:, low, None], cells.boxes[:, low])
        end = np.minimum(boxes[:, high, None], cells.boxes[:, high])
        covered *= np.maximum(end - begin, 0)
    return _unit(covered @ cells.features.astype(np.float32, copy=False))


def picture_features(cells: Detections) -> Floats:
    """Return ``(D,)`` float32 of length 1: the mean of all cells."""
    assert cells.features is not None
    even = np.ones((1, len(cells)), np.float32)
    unit: Floats = _unit(even @ cells.features.astype(np.float32, copy=False))[0]
    return unit


def _unit(features: Floats) -> Floats:
    lengths = np.sqrt(np.einsum('nd,nd->n', features, features))
    unit: Floats = features / np.maximum(lengths, 1e-9)[:, None]
    return unit
