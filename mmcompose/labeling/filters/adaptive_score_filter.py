"""Drop boxes below a score that is learned for each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, ImageContext, LabelStream, LabelTransform
from mmcompose.labeling.compute.learned_file import (
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
from mmcompose.utils import Fraction, Range, UserError, problem


@LABEL_TRANSFORMS.register_module()
class AdaptiveScoreFilter(LabelTransform):
    """Keep boxes whose score reaches a threshold that is learned for each class.

    Learned from the pool by 'mixture', 'prior', 'expected_fbeta' or 'tempered_fbeta'; from a few
    labeled images by 'precision' or 'fbeta': see :mod:`mmcompose.labeling.thresholds`. A class
    with few boxes takes the threshold that all classes of its owners together would get, since
    scores of other teachers have another scale. Where a threshold is not of these scores alone, it
    is at most half of the best that a teacher gave them: one whose scores are low keeps labels, one
    that a step lowered does not.

    Args:
        method: The name of a registered :class:`Threshold`. Defaults to 'mixture'.
        min_boxes: Classes with fewer boxes than this have too few. Defaults to 50.
        lowest: No threshold is below. Defaults to 0.05.
        highest: No threshold is above. Defaults to 0.95.
        learned_file: What was learned of labeled images: `mmcompose calibrate` writes it.
        **arguments: Of the method.

    Raises:
        UserError: If an argument is out of range; if the file was learned of other teachers.
    """

    revision = 3
    rounds = 1
    collects_alike = True
    selects = True

    def __init__(
        self,
        method: str = 'mixture',
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
            self.learned = read_learned(learned_file, type(self).__name__)

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        self.method.bind(class_space)
        if self.right_iou_thr is not None:
            check_teachers(self.learned.get('thresholds', {}), class_space)
        self._tabulate()

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
        thresholds = {teacher: self._learned_of(own) for teacher, own in boxes.items()}
        self.load_learned({'thresholds': thresholds} if thresholds else {})

    def _learned_of(self, boxes: ScoredBoxes) -> dict[str, float]:
        # Classes with the same owners have scores of one scale.
        _, groups = np.unique(self.class_space.owners, axis=0, return_inverse=True)
        groups = groups.ravel()
        thresholds = np.zeros(len(groups))
        for group in range(int(groups.max(initial=-1)) + 1):
            labels = np.flatnonzero(groups == group)
            thresholds[labels] = self._of_alike(boxes, labels)
        thresholds = thresholds.clip(self.lowest, self.highest)
        # Not rounded: the box that is the threshold has to reach it.
        return dict(zip(self.class_space.classes, thresholds.tolist(), strict=True))

    def _of_alike(self, boxes: ScoredBoxes, labels: NDArray[np.int64]) -> list[float]:
        """Return the thresholds of classes that have the same owners."""
        if not self.method.needs_boxes:
            return [self.method.threshold(boxes.of_classes([label]), label) for label in labels]
        alike = boxes.of_classes(labels)
        common: float | None = None
        thresholds = []
        for label in labels:
            own = alike.of_classes([label])
            if len(own.scores) >= self.min_boxes:
                threshold = self._threshold(own, label)
            else:
                # Of a large pool that takes long, and few of its classes have so few boxes.
                common = self._common(boxes, alike) if common is None else common
                threshold = common
            thresholds.append(threshold)
        if self.method.has_own_scale and len(alike.scores):
            thresholds = [min(each, float(alike.best.max()) / 2) for each in thresholds]
        return thresholds

    def _common(self, boxes: ScoredBoxes, alike: ScoredBoxes) -> float:
        """Return the threshold of classes with few boxes: of those like them, or of all."""
        if len(alike.scores) >= self.min_boxes:
            return self._threshold(alike, None)
        threshold = self._threshold(boxes, None)
        if self.right_iou_thr is None and len(alike.scores):
            # Others' scores have another scale.
            threshold = min(threshold, float(alike.best.max()) / 2)
        return threshold

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
