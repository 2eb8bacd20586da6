"""Make the scores of different teachers comparable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import FUSED, ByTeacher, LabelContext, LabelTransform, Pool, Truth
from mmcompose.labeling.compute.agreement_curves import agreement_curves
from mmcompose.labeling.compute.class_prior import BoxesPerImage, check_prior, expected_boxes
from mmcompose.labeling.compute.curves import (
    METHODS,
    Curve,
    anchored,
    blended,
    calibrated,
    calibration_error,
    fit_curve,
    isotonic_curve,
    power_curve,
)
from mmcompose.labeling.compute.learned_file import (
    check_method,
    check_speakers,
    check_teachers,
    read_learned,
)
from mmcompose.labeling.compute.matching import RIGHT, UNJUDGED, judge
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import UserError, fault, problem

# Of one teacher: its common curve, and one by class name where there was enough to see.
TeacherCurves = Mapping[str, Any]
# Methods that compare teachers.
_OF_TEACHERS = ('quantile', 'agreement')


@LABEL_TRANSFORMS.register_module()
class ScoreCalibration(LabelTransform):
    """Map each teacher's scores by a rising curve, before they are fused.

    Focal-loss detectors score low, softmax detectors high. With a few labelled images the curve
    makes a score the share of right boxes: 'isotonic', 'platt' or 'beta'; for each teacher, and
    for each of its classes as far as data suffices: with n boxes a class's own curve counts
    ``n / (n + shrinkage)``, the teacher's the rest. Without labels, 'quantile' makes the k-th
    best box of a class score alike for all of the class's owners: at the mean of what they gave.
    'agreement' makes a score the chance that its box is right, by how the class's other owners
    confirm such boxes; see :mod:`mmcompose.labeling.compute.agreement_curves`. With both, a
    teacher that shares no class stays as it is. 'prior', also for fused boxes, takes for each
    class the power of the score with which scores sum to the number of boxes there should be.

    Args:
        method: One of these six. Defaults to 'quantile'.
        boxes_per_image: For 'prior': as in :class:`AdaptiveScoreFilter`; but a class that is not
            named, or 0, takes the curve of all others together.
        min_boxes: Classes with fewer boxes than this take their teacher's curve. Defaults to 50.
        shrinkage: See above. Defaults to 200.
        iou_thr: A right box overlaps a true one, or for 'agreement' another one, at least this
            much. Defaults to 0.5.
        learned_file: What was learned of labelled images: `tools/calibrate.py` writes it.

    Raises:
        UserError: If an argument is out of range; if the file was learned of other teachers.
    """

    def __init__(
        self,
        method: str = 'quantile',
        min_boxes: int = 50,
        shrinkage: float = 200.0,
        iou_thr: float = 0.5,
        learned_file: str | None = None,
        boxes_per_image: BoxesPerImage | None = None,
    ) -> None:
        known = (*_OF_TEACHERS, 'prior', *METHODS)
        if method not in known:
            raise UserError(problem('method', method, f'is not one of {", ".join(known)}', known))
        if not isinstance(min_boxes, int) or min_boxes < 1:
            raise UserError(problem('min_boxes', min_boxes, 'is no positive whole number'))
        if not shrinkage >= 0:
            raise UserError(problem('shrinkage', shrinkage, 'is below 0'))
        if not 0 < iou_thr <= 1:
            raise UserError(problem('iou_thr', iou_thr, 'is not in (0, 1]'))
        self.method = method
        self.boxes_per_image = check_prior(method, boxes_per_image)
        self.min_boxes = min_boxes
        self.shrinkage = shrinkage
        self.right_iou_thr = iou_thr
        self.wants_truth = method in METHODS
        self.curves: Mapping[str, TeacherCurves] = {}
        if learned_file is not None:
            check_method(learned_file, method, METHODS)
            self.load_learned(read_learned(learned_file, type(self).__name__))

    def check(self, class_space: ClassSpace) -> None:
        """See :meth:`LabelTransform.check`."""
        expected_boxes(self.boxes_per_image, class_space)
        check_teachers(self.curves, class_space)

    @property
    def learned(self) -> dict[str, Any]:
        """``{'curves': {teacher: {'common': curve, 'classes': {class: curve}, ...}}}``."""
        return {'curves': self.curves} if self.curves else {}

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """See :meth:`LabelTransform.load_learned`."""
        self.curves = learned.get('curves', {})

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        shown = np.array([0.1, 0.3, 0.5, 0.7, 0.9], np.float32)
        lines = []
        for teacher, curves in self.curves.items():
            pairs = zip(shown.tolist(), calibrated(curves['common'], shown).tolist(), strict=True)
            told = ', '.join(f'{before:.1f} as {after:.3f}' for before, after in pairs)
            own = f'; {len(curves["classes"])} classes by curves of their own'
            lines.append(f'scores of {teacher} count {told}{own if curves["classes"] else ""}')
        return lines

    def fit(self, pool: Pool) -> None:
        """Learn curves from the pool's scores alone; see :meth:`LabelTransform.fit`.

        Raises:
            UserError: If teachers are to be compared and a fusion went before.
        """
        if self.method in _OF_TEACHERS:
            pool = _before_a_fusion(pool)
        if self.method == 'agreement':
            curves = agreement_curves(pool, self.right_iou_thr)
            self.curves = {n: {'common': curve, 'classes': {}} for n, curve in curves.items()}
            return
        scores: dict[tuple[str, int], list[NDArray[np.float32]]] = defaultdict(list)
        space: ClassSpace | None = None
        images = 0
        for detections, context in pool:
            space = context.class_space
            images += 1
            for teacher, found in detections.items():
                for label in np.unique(found.labels).tolist():
                    scores[teacher, label].append(found.scores[found.labels == label])
        if space is not None:
            ranked = {key: -np.sort(-np.concatenate(parts)) for key, parts in scores.items()}
            if self.method == 'quantile':
                self.curves = _quantile_curves(ranked, space)
            else:
                expected = images * expected_boxes(self.boxes_per_image, space)
                self.curves = _power_curves(ranked, expected, space)

    def fit_labelled(self, pool: Pool, truth: Truth) -> None:
        """See :meth:`LabelTransform.fit_labelled`."""
        judged: dict[str, list[Detections]] = defaultdict(list)
        verdicts: dict[str, list[NDArray[np.int8]]] = defaultdict(list)
        space: ClassSpace | None = None
        for detections, context in pool:
            space = context.class_space
            if context.key in truth:
                for teacher, found in detections.items():
                    judged[teacher].append(found)
                    verdicts[teacher].append(judge(found, truth[context.key], self.right_iou_thr))
        self.curves = {}
        for teacher in sorted(judged):
            assert space is not None
            found, right = (
                Detections.concatenate(judged[teacher]),
                np.concatenate(verdicts[teacher]),
            )
            # Of whom no box was judged stays as it is.
            curves: TeacherCurves = {'common': {'x': [0.0, 1.0], 'y': [0.0, 1.0]}, 'classes': {}}
            if (right != UNJUDGED).any():
                curves = self._fitted(found[right != UNJUDGED], right[right != UNJUDGED], space)
            self.curves = {**self.curves, teacher: curves}
        if not any('calibration_error' in curves for curves in self.curves.values()):
            self.curves = {}

    def _fitted(
        self, found: Detections, verdicts: NDArray[np.int8], space: ClassSpace
    ) -> TeacherCurves:
        right = verdicts == RIGHT
        common = fit_curve(self.method, found.scores, right)
        classes = {}
        after = calibrated(common, found.scores)
        for label, name in enumerate(space.classes):
            own = found.labels == label
            if own.sum() < self.min_boxes:
                continue
            share = float(own.sum() / (own.sum() + self.shrinkage))
            curve = fit_curve(self.method, found.scores[own], right[own])
            classes[name] = blended(curve, common, share)
            after[own] = calibrated(classes[name], found.scores[own])
        errors = [calibration_error(found.scores, right), calibration_error(after, right)]
        return {'common': common, 'classes': classes, 'calibration_error': errors}

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        if self.wants_truth:
            check_speakers(self.curves, detections)
        return {
            teacher: self._calibrated(teacher, found, context.class_space)
            for teacher, found in detections.items()
        }

    def _calibrated(self, teacher: str, found: Detections, space: ClassSpace) -> Detections:
        curves = self.curves.get(teacher)
        if curves is None:
            return found
        scores = calibrated(curves['common'], found.scores)
        for label in np.unique(found.labels).tolist():
            curve: Curve | None = curves['classes'].get(space.classes[label])
            if curve is not None:
                own = found.labels == label
                scores[own] = calibrated(curve, found.scores[own])
        return replace(found, scores=scores)


def _before_a_fusion(pool: Pool) -> Pool:
    for detections, context in pool:
        if FUSED in detections:
            raise UserError(
                fault('type', 'ScoreCalibration compares teachers; put it before a fusion')
            )
        yield detections, context


def _quantile_curves(
    ranked: Mapping[tuple[str, int], NDArray[np.float32]], space: ClassSpace
) -> dict[str, TeacherCurves]:
    """Match the k-th best scores that the owners of each class gave in the whole pool."""
    own: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    mean: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for label, owners in enumerate(space.owners):
        names = [name for name, owns in zip(space.teachers, owners, strict=True) if owns]
        scores = [ranked[name, label] for name in sorted(names) if (name, label) in ranked]
        if len(scores) < 2 or len(scores) < len(names):
            continue
        depth = min(len(part) for part in scores)
        target = np.stack([part[:depth] for part in scores]).astype(np.float64).mean(axis=0)
        for name, part in zip(sorted(names), scores, strict=True):
            own[name].append(part[:depth])
            mean[name].append(target)
    curves: dict[str, TeacherCurves] = {}
    for name in sorted(own):
        curve = isotonic_curve(np.concatenate(own[name]), np.concatenate(mean[name]))
        curves[name] = {'common': anchored(curve), 'classes': {}}
    return curves


def _power_curves(
    ranked: Mapping[tuple[str, int], NDArray[np.float32]],
    expected: NDArray[np.floating],
    space: ClassSpace,
) -> dict[str, TeacherCurves]:
    """Let the scores of each class sum to the number of boxes that is expected of it.

    A class of which nothing is known takes the curve of all together.
    """
    curves: dict[str, TeacherCurves] = {}
    for name in sorted({teacher for teacher, _ in ranked}):
        own = {label: scores for (teacher, label), scores in ranked.items() if teacher == name}
        known = [label for label in own if expected[label] > 0]
        if not known:
            continue
        total = float(expected[known].sum())
        curves[name] = {
            'common': power_curve(np.concatenate([own[label] for label in known]), total),
            'classes': {
                space.classes[label]: power_curve(own[label], float(expected[label]))
                for label in sorted(own)
                if expected[label] > 0
            },
        }
    return curves
