"""Calibration by how many boxes of each class there should be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.calibration.base import Calibration
from mmcompose.labeling.compute.class_prior import BoxesPerImage, check_prior, expected_boxes
from mmcompose.labeling.compute.curves import KNOTS, Curve, Floats, TeacherCurves, calibrated
from mmcompose.labeling.compute.scored_boxes import boxes_by_teacher
from mmcompose.labeling.compute.state import State
from mmcompose.registry import CALIBRATIONS


@CALIBRATIONS.register_module('prior')
class PriorCalibration(Calibration):
    """Let the scores of each class sum to the number of boxes that there should be.

    Also for fused boxes. A class of which nothing is known takes the curve of all others together.

    Args:
        boxes_per_image: As in :class:`mmcompose.labeling.thresholds.prior.PriorThreshold`; but a
            class that is not named, or 0, is one of which nothing is known.
    """

    revision = 3

    def __init__(self, boxes_per_image: BoxesPerImage) -> None:
        self.boxes_per_image = check_prior(boxes_per_image)

    def bind(self, class_space: ClassSpace) -> None:
        """See :meth:`Calibration.bind`."""
        super().bind(class_space)
        self._expected = expected_boxes(self.boxes_per_image, class_space)

    def curves(self, state: State) -> Mapping[str, TeacherCurves]:
        """See :meth:`Calibration.curves`."""
        curves = {}
        for name, boxes in boxes_by_teacher(state, self.class_space).items():
            expected = boxes.images * self._expected
            by_label = {
                label: -np.sort(-scores)
                for label in range(len(expected))
                if expected[label] > 0 and len(scores := boxes.of_classes([label]).scores)
            }
            if by_label:
                known = np.concatenate(list(by_label.values()))
                total = float(expected[list(by_label)].sum())
                curves[name] = {
                    'common': power_curve(known, total),
                    'classes': {
                        self.class_space.classes[label]: power_curve(scores, float(expected[label]))
                        for label, scores in by_label.items()
                    },
                }
        return curves


def power_curve(scores: Floats, total: float) -> Curve:
    """Return the power of the score that makes the scores sum to a total.

    Where a score is the chance that its box is right, the scores of all boxes sum to the number
    of true ones. A power keeps their order, 0 and 1.

    Args:
        scores: ``(N,)`` in [0, 1].
        total: What they should sum to; out of reach of the powers between 1/4 and 4, the nearest.
    """
    low, high = -2.0, 2.0
    for _ in range(40):
        exponent = (low + high) / 2
        curve = {'x': KNOTS.tolist(), 'y': (KNOTS**2.0**exponent).tolist()}
        if calibrated(curve, scores).sum(dtype=np.float64) > total:
            low = exponent
        else:
            high = exponent
    return curve
