"""Platt scaling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.calibration.by_truth import CalibrationByTruth
from mmcompose.labeling.compute.curves import Curve, Floats
from mmcompose.labeling.compute.logistic_curve import logistic_curve
from mmcompose.registry import CALIBRATIONS


@CALIBRATIONS.register_module('platt')
class PlattCalibration(CalibrationByTruth):
    """Fit a logistic function of the score's logit; Platt 1999. Arguments as in its base class."""

    def fit(self, scores: Floats, right: NDArray[np.bool_]) -> Curve:
        """See :meth:`CalibrationByTruth.fit`."""
        return logistic_curve(scores, right, _logit)


def _logit(scores: Floats) -> Floats:
    return (np.log(scores) - np.log1p(-scores))[:, None]
