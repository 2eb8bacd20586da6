"""Beta calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.calibration.by_truth import CalibrationByTruth
from mmcompose.labeling.compute.curves import Curve, Floats
from mmcompose.labeling.compute.logistic_curve import logistic_curve
from mmcompose.registry import CALIBRATIONS


@CALIBRATIONS.register_module('beta')
class BetaCalibration(CalibrationByTruth):
    """Fit a logistic function of log s and log(1 - s); Kull et al. 2017.

    Arguments as in its base class.
    """

    def fit(self, scores: Floats, right: NDArray[np.bool_]) -> Curve:
        """See :meth:`CalibrationByTruth.fit`."""
        return logistic_curve(scores, right, _logarithms, drop_falling=True)


def _logarithms(scores: Floats) -> Floats:
    return np.stack([np.log(scores), -np.log1p(-scores)], axis=1)
