"""Who may vote on each class, and how much each vote counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, LabelContext
from mmcompose.labeling.compute.per_class import class_index
from mmcompose.structures import Detections, Masks
from mmcompose.utils import UserError, fault, problem

# A teacher's weight, or its weight for some of its classes.
WeightFactors = Mapping[str, float | Mapping[str, float]]


class VoteWeights(NamedTuple):
    """What a fusion knows of the teachers; T teachers, C classes of the student.

    Args:
        weights: ``(T, C)`` float64, how much a teacher's box of a class counts.
        owners: ``(T, C)`` bool, which teachers are asked for a class: its owners, or all.
        counts: ``(C,)`` int64, how many are asked.
        totals: ``(C,)`` float64, the sum of their weights.
        maxima: ``(C,)`` float64, the largest of them.
        ranks: ``(T,)`` float64, each teacher's place in the alphabet, the last tie-breaker.
    """

    weights: NDArray[np.float64]
    owners: NDArray[np.bool_]
    counts: NDArray[np.int64]
    totals: NDArray[np.float64]
    maxima: NDArray[np.float64]
    ranks: NDArray[np.float64]

    @classmethod
    def from_context(
        cls, context: LabelContext, weights: WeightFactors, owners: bool
    ) -> VoteWeights:
        """Make the electorate of a class space.

        Args:
            context: Names the teachers, their classes and their own weights.
            weights: Factors on those weights; see :func:`check_vote_weights`.
            owners: False asks every teacher for every class, as ensemble-boxes does.

        Raises:
            UserError: If ``weights`` names a teacher or class that there is not.
        """
        space = context.class_space
        owned = space.owners.T if owners else np.ones_like(space.owners.T)
        matrix = np.repeat(context.weights[:, None], len(space.classes), axis=1)
        matrix = (matrix * _factors(space, weights)).astype(np.float64)
        asked = np.where(owned, matrix, 0.0)
        # Summed in order of size: the order of teachers must not move the last bit.
        totals = np.sort(asked, axis=0).sum(axis=0)
        ranks = np.argsort(np.argsort(space.teachers)).astype(np.float64)
        counts = owned.sum(axis=0)
        return cls(matrix, np.ascontiguousarray(owned), counts, totals, asked.max(axis=0), ranks)


class Electorates:
    """The electorate of the class space at hand, made once and not for every image.

    Args:
        weights: See :class:`VoteWeights`.
        owners: Likewise.

    Raises:
        UserError: If a weight is no positive number.
    """

    def __init__(self, weights: WeightFactors | None = None, owners: bool = True) -> None:
        self.weights = check_vote_weights(weights or {})
        self.owners = owners
        self._made: tuple[ClassSpace, NDArray[np.float64], VoteWeights] | None = None

    def check(self, class_space: ClassSpace) -> None:
        """Look up every teacher and class that has a weight.

        Raises:
            UserError: If there is no such teacher or class.
        """
        _factors(class_space, self.weights)

    def of(self, context: LabelContext) -> VoteWeights:
        """Return the electorate of an image's class space."""
        made = self._made
        if made is None or made[0] is not context.class_space or made[1] is not context.weights:
            made = (
                context.class_space,
                context.weights,
                VoteWeights.from_context(context, self.weights, self.owners),
            )
            self._made = made
        return made[2]


def check_vote_weights(weights: WeightFactors) -> WeightFactors:
    """Return ``weights``: by teacher a factor on its weight, or one by class name.

    Raises:
        UserError: If one is no positive number.
    """
    if not isinstance(weights, Mapping):
        raise UserError(problem('weights', weights, 'is no dict of factors by teacher'))
    problems = []
    for teacher, factor in weights.items():
        by_class = factor.items() if isinstance(factor, Mapping) else [(None, factor)]
        for name, value in by_class:
            if not isinstance(value, (int, float)) or not 0 < value < float('inf'):
                key = f'weights.{teacher}' + (f'.{name}' if name is not None else '')
                problems.append(problem(key, value, 'is no positive number'))
    if problems:
        raise UserError(*problems)
    return weights


def _factors(space: ClassSpace, weights: WeightFactors) -> NDArray[np.float64]:
    factors = np.ones((len(space.teachers), len(space.classes)))
    for teacher, factor in weights.items():
        if teacher not in space.teachers:
            raise UserError(problem('weights', teacher, 'is not a teacher', space.teachers))
        row = factors[space.teachers.index(teacher)]
        if isinstance(factor, Mapping):
            for name, value in factor.items():
                row[class_index(f'weights.{teacher}', name, space)] = value
        else:
            row[:] = factor
    return factors


class StackedDetections(NamedTuple):
    """The boxes of all teachers in one row of arrays, N of them.

    Args:
        boxes: ``(N, 4)`` float64, xyxy in pixels.
        scores: ``(N,)`` float64.
        labels: ``(N,)`` int64.
        teachers: ``(N,)`` int64, rows of the electorate.
        masks: ``(N,)``, None where no teacher gives any.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    teachers: NDArray[np.int64]
    masks: Masks | None = None

    @classmethod
    def from_detections(cls, detections: ByTeacher, context: LabelContext) -> StackedDetections:
        """Join what the teachers said of one image.

        Raises:
            UserError: If someone speaks who is no teacher: a fusion went before.
        """
        teachers = context.class_space.teachers
        strangers = [name for name in detections if name not in teachers]
        if strangers:
            raise UserError(
                fault(
                    'type',
                    f'a fusion needs what the teachers said, but was given {strangers[0]!r}; '
                    'only one fusion can stand in the pipeline',
                )
            )
        said = [detections.get(teacher, _NOTHING) for teacher in teachers]
        labels = np.concatenate([found.labels for found in said])
        # Compiled code does not look whether an index is inside.
        count = len(context.class_space.classes)
        assert not len(labels) or 0 <= labels.min() <= labels.max() < count, labels
        masks = None
        if any(found.masks is not None for found in said):
            masks = np.concatenate([found.with_masks().masks for found in said])
        return cls(
            np.concatenate([found.boxes for found in said], dtype=np.float64),
            np.concatenate([found.scores for found in said], dtype=np.float64),
            labels,
            np.repeat(np.arange(len(said)), [len(found) for found in said]),
            masks,
        )

    def of_teachers(self, order: NDArray[np.int64]) -> StackedDetections:
        """Return the boxes with the teachers in another order."""
        rows = np.concatenate([np.flatnonzero(self.teachers == teacher) for teacher in order])
        masks = None if self.masks is None else self.masks[rows]
        return StackedDetections(
            self.boxes[rows], self.scores[rows], self.labels[rows], self.teachers[rows], masks
        )


_NOTHING = Detections()
