"""Boxes from the highest score down: what each threshold would keep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def hits_from_the_top(scores: Floats, right: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.int64]]:
    """Return scores ``(N,)`` by falling order, and how many boxes are right down to each."""
    order = np.argsort(-scores, kind='stable')
    return scores[order], np.cumsum(right[order], dtype=np.int64)


def ends_a_tie(ordered: Floats) -> NDArray[np.bool_]:
    """Return ``(N,)``: a threshold keeps all boxes of its score, not the first few of a tie."""
    return np.append(ordered[1:] != ordered[:-1], True)
