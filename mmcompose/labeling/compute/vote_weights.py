"""Who may vote on each class, and how much each vote counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, who_predicted
from mmcompose.labeling.compute.per_class import class_indices
from mmcompose.structures import Detections, Masks
from mmcompose.utils import Positive, UserError, fault, problem

# By teacher a factor on its weight, or one for some of its classes.
WeightFactors = Mapping[str, Positive | Mapping[str, Positive]]


class VoteWeights(NamedTuple):
    """What a fusion knows of the teachers; T teachers, C classes of the student.

    Args:
        weights: ``(T, C)`` float64, how much a teacher's box of a class counts.
        owns: ``(T, C)`` bool, which teachers count for a class: its owners, or all.
        counts: ``(C,)`` int64, how many count.
        totals: ``(C,)`` float64, the sum of their weights.
        maxima: ``(C,)`` float64, the largest of them.
        ranks: ``(T,)`` float64, each teacher's place in the alphabet, the last tie-breaker.
        alone: ``(C,)`` bool, classes of which one owner counts, whose boxes are not fused with one
            another.
        by_owner: Whether a class's owners alone count for it.
    """

    weights: NDArray[np.float64]
    owns: NDArray[np.bool_]
    counts: NDArray[np.int64]
    totals: NDArray[np.float64]
    maxima: NDArray[np.float64]
    ranks: NDArray[np.float64]
    alone: NDArray[np.bool_]
    by_owner: bool

    @classmethod
    def of_teachers(
        cls,
        space: ClassSpace,
        weights: NDArray[np.float64],
        factors: NDArray[np.float64],
        owners: bool = True,
    ) -> VoteWeights:
        """Make them of the teachers' own weights.

        Args:
            space: Names the teachers and their classes.
            weights: ``(T,)``, their own weights.
            factors: ``(T, C)``, factors on those; see :func:`weight_factors`.
            owners: False counts every teacher for every class, as ensemble-boxes does. Defaults to
                True.
        """
        owned = space.owners.T if owners else np.ones_like(space.owners.T)
        matrix = (weights[:, None] * factors).astype(np.float64)
        ranks = np.argsort(np.argsort(space.teachers)).astype(np.float64)
        return cls._counted(matrix, np.ascontiguousarray(owned), ranks, owners)

    def of_asked(self, detections: ByTeacher, space: ClassSpace) -> VoteWeights:
        """Return those of one image: teachers that did not predict on it do not vote there.

        Args:
            detections: Of the image.
            space: Names the teachers.
        """
        predicted = who_predicted(detections, space)
        if predicted.all():
            return self
        owns = self.owns & predicted[:, None]
        return self._counted(self.weights, owns, self.ranks, self.by_owner)

    @classmethod
    def _counted(
        cls,
        weights: NDArray[np.float64],
        owns: NDArray[np.bool_],
        ranks: NDArray[np.float64],
        by_owner: bool,
    ) -> VoteWeights:
        counting = np.where(owns, weights, 0.0)
        # Summed in order of size: the order of teachers must not move the last bit.
        totals = np.sort(counting, axis=0).sum(axis=0)
        counts = owns.sum(axis=0)
        alone = counts == 1 if by_owner else np.zeros(len(counts), np.bool_)
        maxima = counting.max(axis=0)
        return cls(weights, owns, counts, totals, maxima, ranks, alone, by_owner)


def weight_factors(space: ClassSpace, weights: WeightFactors) -> NDArray[np.float64]:
    """Return ``(T, C)`` float64 factors on the teachers' weights, 1 where none is given.

    Raises:
        UserError: If ``weights`` names a teacher or class that there is not, or a class twice.
    """
    factors = np.ones((len(space.teachers), len(space.classes)))
    for teacher, factor in weights.items():
        if teacher not in space.teachers:
            raise UserError(problem('weights', teacher, 'is not a teacher', space.teachers))
        row = factors[space.teachers.index(teacher)]
        if isinstance(factor, Mapping):
            row[class_indices(f'weights.{teacher}', factor, space)] = list(factor.values())
        else:
            row[:] = factor
    return factors


class StackedDetections(NamedTuple):
    """The boxes of all teachers in one row of arrays, N of them.

    Args:
        boxes: ``(N, 4)`` float64, xyxy in pixels.
        scores: ``(N,)`` float64.
        labels: ``(N,)`` int64.
        teachers: ``(N,)`` int64, whose box it is, as a row of :class:`VoteWeights`.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    teachers: NDArray[np.int64]

    @classmethod
    def from_detections(cls, detections: ByTeacher, space: ClassSpace) -> StackedDetections:
        """Join the detections of one image, teacher by teacher.

        Raises:
            UserError: If they are not of teachers: a fusion went before.
        """
        teachers = space.teachers
        strangers = [name for name in detections if name not in teachers]
        if strangers:
            expected = (
                f"a fusion needs the teachers' detections, but was given {strangers[0]!r}; "
                'only one fusion can stand in the pipeline'
            )
            raise UserError(fault('type', expected))
        found = [detections.get(teacher, _NOTHING) for teacher in teachers]
        return cls(
            np.concatenate([each.boxes for each in found], dtype=np.float64),
            np.concatenate([each.scores for each in found], dtype=np.float64),
            np.concatenate([each.labels for each in found]),
            np.arange(len(found)).repeat([len(each) for each in found]),
        )


def stacked_masks(detections: ByTeacher, space: ClassSpace) -> Masks | None:
    """Return the masks ``(N,)`` of the boxes of :class:`StackedDetections`, None without any."""
    found = [detections.get(teacher, _NOTHING) for teacher in space.teachers]
    if all(each.masks is None for each in found):
        return None
    masks: Masks = np.concatenate([each.each_mask for each in found])
    return masks


_NOTHING = Detections()
