"""Drop boxes below a score."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import FUSED, ByTeacher, ImageContext, LabelTransform, entry_names
from mmcompose.labeling.compute.per_class import by_class
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.utils import Fraction, UserError, problem


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
        UserError: When applied, if a number is for a teacher whose boxes are fused by now, or
            for 'fused' before a fusion.
    """

    def __init__(
        self,
        min_score: Fraction = 0.0,
        per_class: Mapping[str, Fraction] | None = None,
        per_teacher: Mapping[str, Fraction | Mapping[str, Fraction]] | None = None,
    ) -> None:
        self.min_score = min_score
        self.per_class = per_class or {}
        self.per_teacher = per_teacher or {}

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        entries = entry_names(class_space)
        for teacher in self.per_teacher:
            if teacher not in entries:
                raise UserError(
                    problem('per_teacher', teacher, 'is not a teacher', class_space.teachers)
                )
        self._thresholds = {teacher: self._thresholds_of(teacher) for teacher in entries}

    def _thresholds_of(self, teacher: str) -> NDArray[np.float32]:
        thresholds = by_class('per_class', self.min_score, self.per_class, self.class_space)
        given = self.per_teacher.get(teacher)
        if isinstance(given, Mapping):
            # NaN stands where this teacher has no number of its own.
            own = by_class(f'per_teacher.{teacher}', np.nan, given, self.class_space)
            return np.where(np.isnan(own), thresholds, own)
        if given is not None:
            return np.full_like(thresholds, given)
        return thresholds

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        kept = {}
        for teacher in self.per_teacher if detections else ():
            if (teacher == FUSED) != (FUSED in detections):
                expected = 'is there only after a fusion' if teacher == FUSED else 'is fused by now'
                raise UserError(problem('per_teacher', teacher, expected, detections))
        for teacher, found in detections.items():
            kept[teacher] = found[found.scores >= self._thresholds[teacher][found.labels]]
        return kept
