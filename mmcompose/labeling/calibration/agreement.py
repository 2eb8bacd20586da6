"""Calibration by how the others confirm a teacher's boxes; without a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.base import LabelStream, who_predicted
from mmcompose.labeling.calibration.base import Calibration
from mmcompose.labeling.compute.before_fusion import before_fusion
from mmcompose.labeling.compute.curves import (
    STRAIGHT,
    Curve,
    TeacherCurves,
    anchored,
    calibrated,
    isotonic_curve,
)
from mmcompose.labeling.compute.near_boxes import best_scores
from mmcompose.labeling.compute.state import State
from mmcompose.registry import CALIBRATIONS
from mmcompose.structures import Detections
from mmcompose.utils import Range

# The surest boxes, which are taken for right: those that hold this share of a teacher's scores.
_SUREST = 0.05
_ROUNDS = 10


@CALIBRATIONS.register_module('agreement')
class AgreementCalibration(Calibration):
    """Make a score the chance that its box is right, by how other owners confirm such boxes.

    A right box is confirmed as often as the others see an object, a wrong one next to never. So
    among boxes of one score the share of right ones is what is confirmed of them, over what is
    confirmed of the surest boxes, which are taken for right. A confirmation counts as far as the
    box that confirms is itself believed: curves are computed in turn until they agree, from the
    scores as they are. Mistakes that are made together are not seen. A teacher that shares no
    class stays as it is.

    Args:
        iou_thr: Boxes of one class confirm each other if they overlap at least this much.
            Defaults to 0.5.
    """

    revision = 3

    def __init__(self, iou_thr: Annotated[float, Range(above=0, high=1)] = 0.5) -> None:
        self.iou_thr = iou_thr

    def collect(self, stream: LabelStream) -> State:
        """Return the boxes of classes that a teacher shares, and who confirms them.

        Returns:
            ``teachers`` ``(N,)``, ``scores`` ``(N,)``, ``others`` ``(N,)``, how many other owners
            of their classes predicted there, and ``matches`` ``(N, T)``: the score of each other
            teacher's best box of the class there, -1 where it has none.
        """
        space = self.class_space
        parts: list[dict[str, NDArray[Any]]] = [self._no_boxes()]
        for detections, _ in before_fusion(stream):
            # Who did not predict on an image confirms nothing there, and denies nothing.
            counts = (space.owners & who_predicted(detections, space)).sum(axis=1)
            for row, name in enumerate(space.teachers):
                found = detections.get(name, _NOTHING)
                others = np.where(space.owners[:, row], counts - 1, 0)[found.labels]
                shared, others = found[others > 0], others[others > 0]
                if not len(shared):
                    continue
                matches = np.full((len(shared), len(space.teachers)), -1, np.float32)
                for other, its_name in enumerate(space.teachers):
                    if other != row and its_name in detections:
                        its = detections[its_name]
                        matches[:, other] = best_scores(
                            shared.boxes,
                            shared.labels,
                            its.boxes,
                            its.labels,
                            its.scores,
                            len(space.classes),
                            self.iou_thr,
                        )
                parts.append(
                    {
                        'teachers': np.full(len(shared), row, np.int16),
                        'scores': shared.scores,
                        'others': others.astype(np.float64),
                        'matches': matches,
                    }
                )
        return self.merge(parts)

    def _no_boxes(self) -> dict[str, NDArray[Any]]:
        return {
            'teachers': np.zeros(0, np.int16),
            'scores': np.zeros(0, np.float32),
            'others': np.zeros(0),
            'matches': np.zeros((0, len(self.class_space.teachers)), np.float32),
        }

    def curves(self, state: State) -> Mapping[str, TeacherCurves]:
        """See :meth:`Calibration.curves`."""
        names = self.class_space.teachers
        boxes = {row: _of_teacher(state, row) for row in np.unique(state['teachers']).tolist()}
        curves: dict[int, Curve] = dict.fromkeys(boxes, STRAIGHT)
        for _ in range(_ROUNDS):
            curves = {row: _curve(own, curves) for row, own in boxes.items()}
        by_name = {names[row]: {'common': curve, 'classes': {}} for row, curve in curves.items()}
        return dict(sorted(by_name.items()))


def _of_teacher(state: State, row: int) -> State:
    own = state['teachers'] == row
    return {name: array[own] for name, array in state.items()}


def _curve(boxes: State, curves: Mapping[int, Curve]) -> Curve:
    believed = np.zeros(len(boxes['scores']))
    for other, curve in curves.items():
        scores = boxes['matches'][:, other]
        believed += np.where(scores >= 0, calibrated(curve, scores), 0)
    believed /= boxes['others']
    order = np.lexsort((believed, -boxes['scores']))
    held = np.cumsum(boxes['scores'][order], dtype=np.float64)
    surest = order[: 1 + int(np.searchsorted(held, _SUREST * held[-1]))]
    most = believed[surest].mean()
    if most <= 0:
        return STRAIGHT
    return anchored(isotonic_curve(boxes['scores'], believed / most))


_NOTHING = Detections()
