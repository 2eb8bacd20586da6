"""Curves that make a score the share of right boxes, by labeled images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.calibration.base import Calibration
from mmcompose.labeling.compute.curves import (
    STRAIGHT,
    Curve,
    Floats,
    TeacherCurves,
    blended,
    calibrated,
    calibration_error,
)
from mmcompose.labeling.compute.scored_boxes import ScoredBoxes, boxes_by_teacher
from mmcompose.labeling.compute.state import State
from mmcompose.utils import Count, Range


class CalibrationByTruth(Calibration):
    """Fit a curve for each teacher, and for each of its classes as far as data suffices.

    Args:
        min_boxes: Classes with fewer boxes than this take their teacher's curve. Defaults to 50.
        shrinkage: With n boxes a class's own curve counts ``n / (n + shrinkage)``, the teacher's
            the rest. Defaults to 200.
        iou_thr: A right box overlaps a true one at least this much. Defaults to 0.5.
    """

    revision = 2
    right_iou_thr = 0.5

    def __init__(
        self,
        min_boxes: Count = 50,
        shrinkage: Annotated[float, Range(0)] = 200.0,
        iou_thr: Annotated[float, Range(above=0, high=1)] = 0.5,
    ) -> None:
        self.min_boxes = min_boxes
        self.shrinkage = shrinkage
        self.right_iou_thr = iou_thr

    @abstractmethod
    def fit(self, scores: Floats, right: NDArray[np.bool_]) -> Curve:
        """Return the share of right boxes as a rising curve of the score.

        Args:
            scores: ``(N,)`` in [0, 1], at least one.
            right: ``(N,)`` bool.
        """

    def curves(self, state: State) -> Mapping[str, TeacherCurves]:
        """See :meth:`Calibration.curves`."""
        boxes = boxes_by_teacher(state, self.class_space)
        if not any(len(own.scores) for own in boxes.values()):
            return {}
        # Of whom no box was judged stays as it is.
        as_it_is = {'common': STRAIGHT, 'classes': {}}
        return {
            teacher: self._fitted(own) if len(own.scores) else as_it_is
            for teacher, own in boxes.items()
        }

    def _fitted(self, boxes: ScoredBoxes) -> TeacherCurves:
        common = self.fit(boxes.scores, boxes.right)
        classes = {}
        after = calibrated(common, boxes.scores)
        for label, name in enumerate(self.class_space.classes):
            own = boxes.of_classes([label])
            count = len(own.scores)
            if count >= self.min_boxes:
                curve = self.fit(own.scores, own.right)
                classes[name] = blended(curve, common, float(count / (count + self.shrinkage)))
                after[boxes.labels == label] = calibrated(classes[name], own.scores)
        errors = [calibration_error(each, boxes.right) for each in (boxes.scores, after)]
        return {'common': common, 'classes': classes, 'calibration_error': errors}
