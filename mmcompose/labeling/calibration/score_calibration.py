"""Make the scores of different teachers comparable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, ImageContext, LabelStream, LabelTransform
from mmcompose.labeling.calibration.base import Calibration
from mmcompose.labeling.compute.curves import (
    Curve,
    TeacherCurves,
    calibrated,
    mistakes_in_curves,
)
from mmcompose.labeling.compute.learned_file import (
    check_content,
    check_entries,
    check_method,
    check_teachers,
    read_learned,
)
from mmcompose.labeling.compute.state import State
from mmcompose.registry import CALIBRATIONS, LABEL_TRANSFORMS, build_method
from mmcompose.structures import Detections
from mmcompose.utils import Name

# What is learned: curves by teacher, `TeacherCurves`.
_LEARNED = {'curves': Mapping[str, Mapping[str, Any]]}


@LABEL_TRANSFORMS.register_module()
class ScoreCalibration(LabelTransform):
    """Map each teacher's scores, or fused ones, by a rising curve.

    Focal-loss detectors score low, softmax detectors high. Curves are learned from the pool by
    'quantile', 'agreement' or 'prior'; from a few labeled images by 'isotonic', 'platt' or 'beta':
    see :mod:`mmcompose.labeling.calibration`.

    Args:
        method: The name of a registered :class:`Calibration`. Defaults to 'quantile'.
        learned_file: What was learned of labeled images: `mmcompose calibrate` writes it.
        **arguments: Arguments of the method.

    Raises:
        UserError: If an argument is out of range; if the file was learned of other teachers.
    """

    rounds = 1

    def __init__(
        self, method: Name = 'quantile', learned_file: str | None = None, **arguments: Any
    ) -> None:
        self.method: Calibration = build_method(CALIBRATIONS, method, arguments, type(self))
        self.right_iou_thr = self.method.right_iou_thr
        if learned_file is not None:
            check_method(learned_file, method, self.right_iou_thr is not None, CALIBRATIONS)
            self.learned = read_learned(learned_file, type(self).__name__, _LEARNED)
            for teacher, curves in self.curves.items():
                check_content(learned_file, mistakes_in_curves(f'curves.{teacher}', curves))

    @property
    def curves(self) -> Mapping[str, TeacherCurves]:
        """By teacher ``{'common': curve, 'classes': {class: curve}, ...}``."""
        curves: Mapping[str, TeacherCurves] = self.learned.get('curves', {})
        return curves

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        self.method.bind(class_space)
        if self.right_iou_thr is not None:
            check_teachers(self.curves, class_space)
        self._tabulate()

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """Set ``{'curves': {teacher: {'common': curve, 'classes': {class: curve}}}}``."""
        super().load_learned(learned)
        self._tabulate()

    def _tabulate(self) -> None:
        """Find the classes of curves: their names may be aliases by now, or none of the student."""
        self._own: dict[str, dict[int, Curve]] = {}
        for teacher, curves in self.curves.items():
            labels = self.class_space.index(list(curves['classes'])).tolist()
            self._own[teacher] = dict(zip(labels, curves['classes'].values(), strict=True))

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        shown = np.array([0.1, 0.3, 0.5, 0.7, 0.9], np.float32)
        lines = []
        for teacher, curves in self.curves.items():
            pairs = zip(shown.tolist(), calibrated(curves['common'], shown).tolist(), strict=True)
            listed = ', '.join(f'{before:.1f} as {after:.3f}' for before, after in pairs)
            own = f'; {len(curves["classes"])} classes by curves of their own'
            lines.append(f'scores of {teacher} count {listed}{own if curves["classes"] else ""}')
        return lines

    def collect(self, stream: LabelStream) -> State:
        """See :meth:`LabelTransform.collect`."""
        return self.method.collect(stream)

    def merge(self, states: Sequence[State]) -> State:
        """See :meth:`LabelTransform.merge`."""
        return self.method.merge(states)

    def learn(self, state: State) -> None:
        """See :meth:`LabelTransform.learn`."""
        curves = self.method.curves(state)
        self.load_learned({'curves': curves} if curves else {})

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        if self.right_iou_thr is not None:
            check_entries(self.curves, detections)
        return {teacher: self._calibrated(teacher, found) for teacher, found in detections.items()}

    def _calibrated(self, teacher: str, found: Detections) -> Detections:
        curves = self.curves.get(teacher)
        if curves is None:
            return found
        scores = calibrated(curves['common'], found.scores)
        own_curves = self._own[teacher]
        # Most classes have no curve of their own.
        for label in np.unique(found.labels).tolist() if own_curves else ():
            if label in own_curves:
                own = found.labels == label
                scores[own] = calibrated(own_curves[label], found.scores[own])
        return replace(found, scores=scores)
