"""A calibration that lives outside mmcompose: one temperature for the logits of a teacher."""

import numpy as np
from scipy.optimize import minimize_scalar

from mmcompose.labeling import CalibrationByTruth
from mmcompose.labeling.compute.curves import KNOTS, Curve
from mmcompose.registry import CALIBRATIONS


@CALIBRATIONS.register_module('temperature')
class TemperatureCalibration(CalibrationByTruth):
    """Divide the score's logit by the temperature that explains best which boxes are right.

    Guo et al. 2017. Arguments as in its base class.
    """

    def fit(self, scores: np.ndarray, right: np.ndarray) -> Curve:
        def loss(exponent: float) -> float:
            chance = _cooled(scores, np.exp(exponent))
            return float(-np.log(np.where(right, chance, 1 - chance)).mean())

        best = minimize_scalar(loss, bounds=(-3, 3), method='bounded').x
        return {'x': KNOTS.tolist(), 'y': _cooled(KNOTS, np.exp(best)).tolist()}


def _cooled(scores: np.ndarray, temperature: float) -> np.ndarray:
    inside = np.clip(scores, 1e-6, 1 - 1e-6).astype(float)
    return 1 / (1 + (1 / inside - 1) ** (1 / temperature))
