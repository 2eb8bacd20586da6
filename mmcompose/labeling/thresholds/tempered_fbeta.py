"""A threshold between what scores let expect and a common one."""

from __future__ import annotations

from mmcompose.labeling.compute.scored_boxes import ScoredBoxes
from mmcompose.labeling.thresholds.base import Threshold
from mmcompose.labeling.thresholds.expected_fbeta import expected_fbeta_threshold
from mmcompose.registry import THRESHOLDS
from mmcompose.utils import Fraction, Positive


@THRESHOLDS.register_module('tempered_fbeta')
class TemperedFbetaThreshold(Threshold):
    """Between the threshold of 'expected_fbeta' and one for all classes.

    Scores that several checks multiplied are chances too low: their own expectation drops too
    many boxes. Where chances are near the truth, the best threshold is half of the F1 that it
    reaches, so 0.2 to 0.35 in most pools; a mean of logarithms errs less than either.

    Args:
        common: The one threshold. Defaults to 0.2, which alone was within 0.03 of the best one in
            most worlds of ``benchmarks/worlds.py``.
        weight: Of the expected threshold's logarithm; that of ``common`` has the rest. Defaults to
            0.35. ``benchmarks/world_constants.py``, which leaves out each kind of world in turn,
            mostly chooses 0.15 beside a ``common`` of 0.22, and loses as much to the best as these.
        beta: How many times recall counts as much as precision. Defaults to 1.
    """

    revision = 2
    has_fixed_score = True

    def __init__(
        self, common: Fraction = 0.2, weight: Fraction = 0.35, beta: Positive = 1.0
    ) -> None:
        self.common = common
        self.weight = weight
        self.beta = beta

    def threshold(self, boxes: ScoredBoxes, label: int | None) -> float:
        """See :meth:`Threshold.threshold`."""
        expected = expected_fbeta_threshold(boxes.scores, self.beta)
        return float(expected**self.weight * self.common ** (1 - self.weight))
