"""Drop boxes below a score that is learned for each class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, LabelContext, LabelTransform, Pool, Truth
from mmcompose.labeling.compute.class_prior import BoxesPerImage, check_prior, expected_boxes
from mmcompose.labeling.compute.learned_file import (
    check_method,
    check_speakers,
    check_teachers,
    read_learned,
)
from mmcompose.labeling.compute.matching import RIGHT, UNJUDGED, judge
from mmcompose.labeling.compute.per_class import by_class, check_fraction
from mmcompose.labeling.compute.thresholds import (
    count_threshold,
    expected_fbeta_threshold,
    fbeta_threshold,
    mixture_threshold,
    precision_threshold,
)
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.utils import UserError, problem

_OF_LABELS = ('precision', 'fbeta')
METHODS = ('mixture', 'prior', 'expected_fbeta', *_OF_LABELS)

# For each teacher ('fused' after a fusion) and class the threshold.
Thresholds = Mapping[str, Mapping[str, float]]
Floats = NDArray[np.float32]


@LABEL_TRANSFORMS.register_module()
class AdaptiveScoreFilter(LabelTransform):
    """Keep boxes whose score reaches a threshold that is learned for each class.

    Without labels: 'mixture' takes a class's scores for a mixture of wrong and right boxes
    (Consistent-Teacher, Wang et al. 2023); 'prior' keeps as many boxes of a class as there
    should be in the pool (Data Distillation, Radosavovic et al. 2018; LabelMatch, Chen et al.
    2022); 'expected_fbeta' takes scores for the chance to be right, and the threshold with the
    best F-beta by that. With a few labelled images: 'precision' takes the lowest threshold that
    reaches a precision, 'fbeta' the best F-beta. A class with few boxes takes the threshold that
    all classes together would get.

    Args:
        method: One of these five. Defaults to 'mixture'.
        posterior: For 'mixture': how likely a box has to be right. Defaults to 0.5.
        boxes_per_image: For 'prior': by class name, the mean number of boxes an image; or COCO
            jsons to count it in, e.g. those that the teachers were trained on. A class that
            neither names keeps no box.
        precision: For 'precision': the share of right boxes. Defaults to 0.8.
        beta: For 'fbeta' and 'expected_fbeta': how many times recall counts as much as
            precision. Defaults to 1.
        min_boxes: Classes with fewer boxes than this have too few. Defaults to 50.
        lowest: No threshold is below. Defaults to 0.05.
        highest: No threshold is above. Defaults to 0.95.
        learned_file: What was learned of labelled images: `tools/calibrate.py` writes it.

    Raises:
        UserError: If an argument is out of range; if the file was learned of other teachers.
    """

    selects = True

    def __init__(
        self,
        method: str = 'mixture',
        posterior: float = 0.5,
        boxes_per_image: BoxesPerImage | None = None,
        precision: float = 0.8,
        beta: float = 1.0,
        min_boxes: int = 50,
        lowest: float = 0.05,
        highest: float = 0.95,
        learned_file: str | None = None,
    ) -> None:
        if method not in METHODS:
            expected = f'is not one of {", ".join(METHODS)}'
            raise UserError(problem('method', method, expected, METHODS))
        if not beta > 0:
            raise UserError(problem('beta', beta, 'is no positive number'))
        if not isinstance(min_boxes, int) or min_boxes < 2:
            raise UserError(problem('min_boxes', min_boxes, 'is no whole number of 2 or more'))
        if not 0 <= lowest <= highest <= 1:
            raise UserError(problem('lowest', lowest, f'is not in [0, highest], {highest}'))
        self.method = method
        self.posterior = check_fraction('posterior', posterior)
        self.boxes_per_image = check_prior(method, boxes_per_image)
        self.precision = check_fraction('precision', precision)
        self.beta = beta
        self.min_boxes = min_boxes
        self.lowest, self.highest = lowest, highest
        self.wants_truth = method in _OF_LABELS
        self.thresholds: Thresholds = {}
        if learned_file is not None:
            check_method(learned_file, method, _OF_LABELS)
            self.load_learned(read_learned(learned_file, type(self).__name__))

    def check(self, class_space: ClassSpace) -> None:
        """See :meth:`LabelTransform.check`."""
        expected_boxes(self.boxes_per_image, class_space)
        check_teachers(self.thresholds, class_space)

    @property
    def learned(self) -> dict[str, Any]:
        """``{'thresholds': {teacher: {class: threshold}}}``, empty before a fit."""
        return {'thresholds': self.thresholds} if self.thresholds else {}

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """See :meth:`LabelTransform.load_learned`."""
        self.thresholds = learned.get('thresholds', {})

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        return [
            f'{teacher} boxes are kept from '
            + ', '.join(f'{name} {threshold:.3f}' for name, threshold in by_name.items())
            for teacher, by_name in self.thresholds.items()
        ]

    def fit(self, pool: Pool) -> None:
        """Learn thresholds from the scores of the pool alone; see :meth:`LabelTransform.fit`."""
        self._learn(pool, None)

    def fit_labelled(self, pool: Pool, truth: Truth) -> None:
        """See :meth:`LabelTransform.fit_labelled`."""
        self._learn(pool, truth)

    def _learn(self, pool: Pool, truth: Truth | None) -> None:
        samples: dict[str, list[_Sample]] = defaultdict(list)
        space: ClassSpace | None = None
        images = 0
        for detections, context in pool:
            space = context.class_space
            if truth is not None and context.key not in truth:
                continue
            images += 1
            for teacher, found in detections.items():
                right = np.zeros(len(found), np.int8)
                true_labels = np.zeros(0, np.int64)
                if truth is not None:
                    there = truth[context.key]
                    right = judge(found, there, self.right_iou_thr)
                    true_labels = there.kept().labels
                samples[teacher].append((found.scores, found.labels, right, true_labels))
        if space is not None:
            self.thresholds = {
                teacher: self._thresholds_of(_joined(parts), images, space)
                for teacher, parts in sorted(samples.items())
            }

    def _thresholds_of(self, sample: _Sample, images: int, space: ClassSpace) -> dict[str, float]:
        scores, labels, right, true_labels = sample
        judged = right != UNJUDGED
        scores, labels, right = scores[judged], labels[judged], right[judged] == RIGHT
        expected = images * expected_boxes(self.boxes_per_image, space)
        every = self._threshold(scores, right, len(true_labels), float(expected.sum()))
        thresholds = {}
        for label, name in enumerate(space.classes):
            own = labels == label
            threshold = every
            if self.method == 'prior' or own.sum() >= self.min_boxes:
                positives = int((true_labels == label).sum())
                threshold = self._threshold(
                    scores[own], right[own], positives, float(expected[label])
                )
            # Not rounded: the box that is the threshold has to reach it.
            thresholds[name] = float(min(max(threshold, self.lowest), self.highest))
        return thresholds

    def _threshold(
        self, scores: Floats, right: NDArray[np.bool_], positives: int, expected: float
    ) -> float:
        if self.method == 'prior':
            return count_threshold(scores, expected)
        if not len(scores):
            return self.lowest
        if self.method == 'mixture':
            # One score is no mixture of two.
            alike = len(np.unique(scores)) < 2
            return self.lowest if alike else mixture_threshold(scores, self.posterior)
        if self.method == 'expected_fbeta':
            return expected_fbeta_threshold(scores, self.beta)
        if self.method == 'precision':
            return precision_threshold(scores, right, self.precision)
        return fbeta_threshold(scores, right, positives, self.beta)

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        kept = {}
        for teacher, found in detections.items():
            thresholds = self._learned_for(teacher, context.class_space)
            kept[teacher] = found[found.scores >= thresholds[found.labels]]
        return kept

    def _learned_for(self, teacher: str, space: ClassSpace) -> Floats:
        """Return ``(C,)`` float32 thresholds; ``lowest`` where nothing was learned."""
        if self.wants_truth:
            check_speakers(self.thresholds, [teacher])
        return by_class('thresholds', self.lowest, self.thresholds.get(teacher, {}), space)


# Scores, labels and verdicts of one teacher's boxes, and the labels of the true ones.
_Sample = tuple[Floats, NDArray[np.int64], NDArray[np.int8], NDArray[np.int64]]


def _joined(parts: list[_Sample]) -> _Sample:
    scores, labels, right, true_labels = zip(*parts, strict=True)
    return (
        np.concatenate(scores),
        np.concatenate(labels),
        np.concatenate(right),
        np.concatenate(true_labels),
    )
