"""The threshold with the best F-beta, by labeled images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.score_order import ends_a_tie, hits_from_the_top
from mmcompose.labeling.compute.scored_boxes import ScoredBoxes
from mmcompose.labeling.thresholds.base import Threshold
from mmcompose.registry import THRESHOLDS
from mmcompose.utils import Positive


@THRESHOLDS.register_module('fbeta')
class FbetaThreshold(Threshold):
    """Take the threshold with the best F-beta.

    Args:
        beta: How many times recall counts as much as precision. Defaults to 1.
    """

    revision = 2
    right_iou_thr = 0.5

    def __init__(self, beta: Positive = 1.0) -> None:
        self.beta = beta

    def threshold(self, boxes: ScoredBoxes, label: int | None) -> float:
        """See :meth:`Threshold.threshold`."""
        positives = int(boxes.positives.sum() if label is None else boxes.positives[label])
        return fbeta_threshold(boxes.scores, boxes.right, positives, self.beta)


def fbeta_threshold(
    scores: NDArray[np.floating], right: NDArray[np.bool_], positives: int, beta: float
) -> float:
    """Return the threshold with the best F-beta.

    Args:
        scores: ``(N,)``.
        right: ``(N,)`` bool.
        positives: How many true boxes there are.
        beta: How many times recall counts as much as precision.

    Returns:
        The threshold; 1.0 where nothing is right.
    """
    if not right.any():
        return 1.0
    ordered, hits = hits_from_the_top(scores, right)
    kept = np.arange(1, len(hits) + 1)
    f = (1 + beta**2) * hits / (beta**2 * positives + kept)
    return float(ordered[np.where(ends_a_tie(ordered), f, -1).argmax()])
