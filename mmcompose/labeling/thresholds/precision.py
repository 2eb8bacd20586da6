"""The lowest threshold that reaches a precision, by labeled images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.score_order import ends_a_tie, hits_from_the_top
from mmcompose.labeling.compute.scored_boxes import ScoredBoxes
from mmcompose.labeling.thresholds.base import Threshold
from mmcompose.registry import THRESHOLDS
from mmcompose.utils import Fraction


@THRESHOLDS.register_module('precision')
class PrecisionThreshold(Threshold):
    """Take the lowest threshold that reaches a precision.

    Args:
        precision: The share of right boxes. Defaults to 0.8.
    """

    revision = 2
    right_iou_thr = 0.5

    def __init__(self, precision: Fraction = 0.8) -> None:
        self.precision = precision

    def threshold(self, boxes: ScoredBoxes, label: int | None) -> float:
        """See :meth:`Threshold.threshold`."""
        return precision_threshold(boxes.scores, boxes.right, self.precision)


def precision_threshold(
    scores: NDArray[np.floating], right: NDArray[np.bool_], precision: float
) -> float:
    """Return the lowest threshold above which a share of ``precision`` is right.

    Args:
        scores: ``(N,)``.
        right: ``(N,)`` bool.
        precision: In (0, 1].

    Returns:
        The threshold; 1.0 where none reaches the precision.
    """
    ordered, hits = hits_from_the_top(scores, right)
    reached = hits / np.arange(1, len(hits) + 1) >= precision
    usable = np.flatnonzero(reached & ends_a_tie(ordered))
    return float(ordered[usable[-1]]) if len(usable) else 1.0
