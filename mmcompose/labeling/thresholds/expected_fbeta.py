"""A threshold with the best F-beta that scores let expect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.score_order import ends_a_tie
from mmcompose.labeling.compute.scored_boxes import ScoredBoxes
from mmcompose.labeling.thresholds.base import Threshold
from mmcompose.registry import THRESHOLDS
from mmcompose.utils import Positive

_BLOCK = 2**18


@THRESHOLDS.register_module('expected_fbeta')
class ExpectedFbetaThreshold(Threshold):
    """Take scores for the chance to be right, and the threshold with the best F-beta by that.

    Args:
        beta: How many times recall counts as much as precision. Defaults to 1.
    """

    def __init__(self, beta: Positive = 1.0) -> None:
        self.beta = beta

    def threshold(self, boxes: ScoredBoxes, label: int | None) -> float:
        """See :meth:`Threshold.threshold`."""
        return expected_fbeta_threshold(boxes.scores, self.beta)


def expected_fbeta_threshold(scores: NDArray[np.floating], beta: float = 1.0) -> float:
    """Return the threshold with the best F-beta that the scores themselves let expect.

    A box of score 0.7 is taken to be right 7 times in 10, and the sum of all scores for the
    number of true boxes. With such scores the best threshold is half of the F1 that it reaches
    (Lipton, Elkan, Naryanaswamy 2014), so that a class of doubtful boxes gets a lower one.

    Args:
        scores: ``(N,)`` in [0, 1].
        beta: How many times recall counts as much as precision. Defaults to 1.

    Returns:
        The threshold; 1.0 where all scores are 0.
    """
    ordered = np.sort(scores)[::-1]
    hits = np.cumsum(ordered, dtype=np.float64)
    if not len(ordered) or hits[-1] <= 0:
        return 1.0
    best, threshold = -np.inf, 1.0
    # In blocks: all boxes of a large pool are millions.
    for start in range(0, len(ordered), _BLOCK):
        part = hits[start : start + _BLOCK]
        f = (1 + beta**2) * part / (beta**2 * hits[-1] + np.arange(1, len(part) + 1) + start)
        # The next score decides whether the last one of the block ends a tie.
        f[~ends_a_tie(ordered[start : start + _BLOCK + 1])[: len(f)]] = -1
        place = int(f.argmax())
        if f[place] > best:
            best, threshold = f[place], float(ordered[start + place])
    return threshold
