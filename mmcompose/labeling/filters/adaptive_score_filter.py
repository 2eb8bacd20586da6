"""Drop boxes below a score that is learned for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import FUSED, ByTeacher, ImageContext, LabelStream, LabelTransform
from mmcompose.labeling.compute.learned_file import (
    check_classes,
    check_entries,
    check_method,
    check_teachers,
    read_learned,
)
from mmcompose.labeling.compute.per_class import by_class
from mmcompose.labeling.compute.scored_boxes import ScoredBoxes, boxes_by_teacher, collect_boxes
from mmcompose.labeling.compute.state import State
from mmcompose.labeling.thresholds.base import Threshold
from mmcompose.registry import LABEL_TRANSFORMS, THRESHOLDS, build_method
from mmcompose.utils import Fraction, Name, Range, UserError, problem

# What is learned: thresholds by teacher and class.
_LEARNED = {'thresholds': Mapping[str, Mapping[str, Fraction]]}


@LABEL_TRANSFORMS.register_module()
class AdaptiveScoreFilter(LabelTransform):
    """Keep boxes whose score reaches a threshold that is learned for each class.

    Learned from the pool by 'mixture', 'prior', 'expected_fbeta' or 'tempered_fbeta'; from a few
    labeled images by 'precision' or 'fbeta': see :mod:`mmcompose.labeling.thresholds`. A class
    with few boxes takes the threshold that all classes together would get; of fused boxes, all
    with the same owners, for scores of other teachers may have another scale. A threshold of
    'tempered_fbeta', which has a fixed score in it, is at most half of the best score that they
    gave to these classes, before any step lowered it: teachers whose scores are low keep labels.

    Args:
        method: The name of a registered :class:`Threshold`. Defaults to 'mixture'.
        min_boxes: Classes with fewer boxes than this have too few. Defaults to 50.
        lowest: No threshold is below. Defaults to 0.05.
        highest: No threshold is above. Defaults to 0.95.
        learned_file: What was learned of labeled images: `mmcompose calibrate` writes it.
        **arguments: Arguments of the method.

    Raises:
        UserError: If an argument is out of range; if the file was learned of other teachers.
    """

    revision = 5
    rounds = 1
    collects_alike = True
    selects = True

    def __init__(
        self,
        method: Name = 'mixture',
        min_boxes: Annotated[int, Range(2)] = 50,
        lowest: Fraction = 0.05,
        highest: Fraction = 0.95,
        learned_file: str | None = None,
        **arguments: Any,
    ) -> None:
        if lowest > highest:
            raise UserError(problem('lowest', lowest, f'is above highest, {highest}'))
        self.method: Threshold = build_method(THRESHOLDS, method, arguments, type(self))
        self.right_iou_thr = self.method.right_iou_thr
        self.min_boxes = min_boxes
        self.lowest, self.highest = lowest, highest
        if learned_file is not None:
            check_method(learned_file, method, self.right_iou_thr is not None, THRESHOLDS)
            self.learned = read_learned(learned_file, type(self).__name__, _LEARNED)

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        self.method.bind(class_space)
        thresholds = self.learned.get('thresholds', {})
        if self.right_iou_thr is not None:
            check_teachers(thresholds, class_space)
        self._tabulate()
        if self.right_iou_thr is not None:
            check_classes(thresholds, class_space)

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """Set ``{'thresholds': {teacher: {class: threshold}}}``."""
        super().load_learned(learned)
        self._tabulate()

    def _tabulate(self) -> None:
        self._thresholds = {
            teacher: by_class('learned_file', self.lowest, by_name, self.class_space)
            for teacher, by_name in self.learned.get('thresholds', {}).items()
        }
        self._not_learned = by_class('thresholds', self.lowest, {}, self.class_space)

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        return [
            f'{teacher} boxes are kept from '
            + ', '.join(f'{name} {threshold:.3f}' for name, threshold in by_name.items())
            for teacher, by_name in self.learned.get('thresholds', {}).items()
        ]

    def collect(self, stream: LabelStream) -> State:
        """See :meth:`LabelTransform.collect`."""
        return collect_boxes(stream, self.class_space, self.right_iou_thr)

    def learn(self, state: State) -> None:
        """See :meth:`LabelTransform.learn`."""
        boxes = boxes_by_teacher(state, self.class_space)
        thresholds = {entry: self._learned_of(own, entry) for entry, own in boxes.items()}
        self.load_learned({'thresholds': thresholds} if thresholds else {})

    def _learned_of(self, boxes: ScoredBoxes, entry: str) -> dict[str, float]:
        thresholds = np.zeros(len(self.class_space.classes))
        scales = self._scales(entry)
        # Of a large pool that takes long, and few of its classes have so few boxes.
        every = cache(lambda: self._threshold(boxes, None))
        for scale in range(int(scales.max(initial=-1)) + 1):
            labels = np.flatnonzero(scales == scale)
            thresholds[labels] = self._of_scale(boxes, labels, every)
        thresholds = thresholds.clip(self.lowest, self.highest)
        # Not rounded: the box that is the threshold has to reach it.
        return dict(zip(self.class_space.classes, thresholds.tolist(), strict=True))

    def _scales(self, entry: str) -> NDArray[np.int64]:
        """Return ``(C,)``: classes of the same number have scores of one scale."""
        owners = self.class_space.owners
        if entry != FUSED:
            return np.zeros(len(owners), np.int64)
        scales: NDArray[np.int64] = np.unique(owners, axis=0, return_inverse=True)[1].ravel()
        return scales

    def _of_scale(
        self, boxes: ScoredBoxes, labels: NDArray[np.int64], every: Callable[[], float]
    ) -> list[float]:
        """Return the thresholds of classes whose scores have one scale.

        Args:
            boxes: Those of all classes.
            labels: The classes.
            every: Returns the threshold of all boxes.
        """
        alike = boxes.of_classes(labels)
        has_many = len(alike.scores) >= self.min_boxes
        common = cache(lambda: self._threshold(alike, None)) if has_many else every
        thresholds = []
        for label in labels:
            own = alike.of_classes([label])
            learns = not self.method.needs_boxes or len(own.scores) >= self.min_boxes
            thresholds.append(self._threshold(own, label) if learns else common())
        if self.method.has_fixed_score and has_many:
            highest = float(alike.best_scores.max()) / 2
            thresholds = [min(each, highest) for each in thresholds]
        return thresholds

    def _threshold(self, boxes: ScoredBoxes, label: int | None) -> float:
        if self.method.needs_boxes and not len(boxes.scores):
            return self.lowest
        return self.method.threshold(boxes, label)

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        return {
            teacher: found[found.scores >= self.thresholds_of(teacher)[found.labels]]
            for teacher, found in detections.items()
        }

    def thresholds_of(self, teacher: str) -> NDArray[np.float32]:
        """Return ``(C,)`` float32 thresholds; ``lowest`` where nothing was learned."""
        if self.right_iou_thr is not None:
            check_entries(self._thresholds, [teacher])
        return self._thresholds.get(teacher, self._not_learned)
