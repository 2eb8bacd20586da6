"""Isotonic calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.calibration.by_truth import CalibrationByTruth
from mmcompose.labeling.compute.curves import Curve, Floats, isotonic_curve
from mmcompose.registry import CALIBRATIONS


@CALIBRATIONS.register_module('isotonic')
class IsotonicCalibration(CalibrationByTruth):
    """Fit any rising curve; Zadrozny and Elkan 2002. Arguments as in its base class."""

    def fit(self, scores: Floats, right: NDArray[np.bool_]) -> Curve:
        """See :meth:`CalibrationByTruth.fit`."""
        return isotonic_curve(scores, right.astype(np.float64))
