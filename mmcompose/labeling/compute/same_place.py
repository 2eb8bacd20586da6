"""Of boxes of different classes in one place, the likelier one teaches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.near_boxes import pairs_of_classes

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Boxes that overlap more are one object.
_IOU = 0.5


def conflicting_pairs(
    boxes: NDArray[np.float32], labels: Rows, votes: Bools, known: Bools, offsets: Sequence[int]
) -> tuple[Rows, Rows]:
    """Return both rows of each pair of classes for one object, of which one is wrong.

    No voter of either box has the other's class: a teacher that has both, as rider and bicycle,
    may well predict both there.

    Args:
        boxes: ``(N, 4)`` float32, xyxy in pixels, picture after picture.
        labels: ``(N,)``.
        votes: ``(N, T)``, who found each box.
        known: ``(T, C)``, which classes each teacher was trained to distinguish.
        offsets: Where each picture's boxes begin, and the end.
    """
    found = []
    for begin, end in pairwise(offsets):
        if end - begin > 1:
            rows, others = pairs_of_classes(boxes[begin:end], _IOU)
            found.append((rows + begin, others + begin))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    first, second = (np.concatenate(rows) for rows in zip(*found, strict=True))
    conflict = labels[first] != labels[second]
    for one, other in ((first, second), (second, first)):
        # Some voter of the one has the other's class.
        conflict &= ~(votes[one] & known[:, labels[other]].T).any(axis=1)
    return first[conflict], second[conflict]


def share_of_place(
    chances: NDArray[np.float64], pairs: tuple[Rows, Rows], power: float
) -> NDArray[np.float64]:
    """Return ``(N,)`` in (0, 1]: how much of what is claimed in its place each box claims.

    Args:
        chances: ``(N,)``.
        pairs: As :func:`conflicting_pairs` returns them.
        power: Above 1, the likelier box takes more than its share.
    """
    claimed = np.maximum(chances, 1e-6) ** power
    together = claimed.copy()
    first, second = pairs
    np.add.at(together, first, claimed[second])
    np.add.at(together, second, claimed[first])
    share: NDArray[np.float64] = claimed / together
    return share
