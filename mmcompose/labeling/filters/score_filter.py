"""Drop boxes below a score."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import FUSED, ByTeacher, LabelContext, LabelTransform
from mmcompose.labeling.compute.per_class import by_class, check_fraction, check_fractions
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.utils import UserError, problem


@LABEL_TRANSFORMS.register_module()
class ScoreFilter(LabelTransform):
    """Keep boxes whose score is at least ``min_score``.

    The most particular number wins: a teacher's for a class, then a teacher's, then a class's,
    then ``min_score``.

    Args:
        min_score: In [0, 1]. Defaults to 0.
        per_class: By class name another number.
        per_teacher: By teacher another number, or a dict of numbers by class name. After a
            fusion the one teacher is 'fused'.

    Raises:
        UserError: If a number is out of range; when applied, if one is for a teacher that no
            longer speaks by itself, or for 'fused' before a fusion.
    """

    def __init__(
        self,
        min_score: float = 0.0,
        per_class: Mapping[str, float] | None = None,
        per_teacher: Mapping[str, float | Mapping[str, float]] | None = None,
    ) -> None:
        self.min_score = check_fraction('min_score', min_score)
        self.per_class = check_fractions('per_class', per_class)
        self.per_teacher = per_teacher or {}
        for teacher, given in self.per_teacher.items():
            if isinstance(given, Mapping):
                check_fractions(f'per_teacher.{teacher}', given)
            else:
                check_fraction(f'per_teacher.{teacher}', given)

    def check(self, class_space: ClassSpace) -> None:
        """See :meth:`LabelTransform.check`."""
        for teacher in self.per_teacher:
            if teacher not in (*class_space.teachers, FUSED):
                raise UserError(
                    problem('per_teacher', teacher, 'is not a teacher', class_space.teachers)
                )
            self._thresholds(teacher, class_space)
        self._thresholds('', class_space)

    def _thresholds(self, teacher: str, space: ClassSpace) -> NDArray[np.float32]:
        thresholds = by_class('per_class', self.min_score, self.per_class, space)
        given = self.per_teacher.get(teacher)
        if isinstance(given, Mapping):
            # NaN stands where this teacher has no number of its own.
            own = by_class(f'per_teacher.{teacher}', np.nan, given, space)
            return np.where(np.isnan(own), thresholds, own)
        if given is not None:
            return np.full_like(thresholds, given)
        return thresholds

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        kept = {}
        for teacher in self.per_teacher if detections else ():
            if (teacher == FUSED) != (FUSED in detections):
                expected = 'speaks only after a fusion' if teacher == FUSED else 'is fused by now'
                raise UserError(problem('per_teacher', teacher, expected, detections))
        for teacher, found in detections.items():
            thresholds = self._thresholds(teacher, context.class_space)
            kept[teacher] = found[found.scores >= thresholds[found.labels]]
        return kept
