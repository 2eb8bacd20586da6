"""Coarse classes and the finer ones that they stand for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mmcompose.utils import UserError, fault, problem

KEY = 'composition.class_space.hierarchy'


class Hierarchy:
    """Which student class stands for which finer ones.

    Args:
        tree: By coarse class the classes just below it, e.g. ``dict(animal=['cat', 'dog'])``;
            a class may stand below several.
        classes: The student's classes, and the coarse ones that it lacks.
        index: The index of each name and alias among them.

    Raises:
        UserError: If a name is none of these classes, or a class is below itself.
    """

    def __init__(
        self,
        tree: Mapping[str, Sequence[str]],
        classes: Sequence[str],
        index: Mapping[str, int],
    ) -> None:
        self._below = np.zeros((len(classes), len(classes)), np.bool_)
        problems = []
        for coarse, finer in tree.items():
            key = f'{KEY}.{coarse}'
            unknown = [name for name in (coarse, *finer) if name not in index]
            problems += [
                problem(key, name, 'is not a class of the student', index) for name in unknown
            ]
            if not unknown:
                self._below[index[coarse], [index[name] for name in finer]] = True
        if problems:
            raise UserError(*problems)
        # Over each class that has some below it and stands below one: that reaches the bottom.
        for middle in np.flatnonzero(self._below.any(axis=0) & self._below.any(axis=1)):
            self._below |= self._below[:, middle, None] & self._below[middle]
        if self._below.diagonal().any():
            names = [classes[i] for i in np.flatnonzero(self._below.diagonal()).tolist()]
            raise UserError(fault(KEY, f'{", ".join(names)}: a class cannot stand below itself'))
        self._below.flags.writeable = False

    def __bool__(self) -> bool:
        return bool(self._below.any())

    @property
    def below(self) -> NDArray[np.bool_]:
        """``(C, C)`` bool: whether the class of the column is a finer one of the row's."""
        return self._below

    @property
    def depth(self) -> NDArray[np.int64]:
        """``(C,)`` int64: how many classes stand above each."""
        depth: NDArray[np.int64] = self._below.sum(axis=0)
        return depth


def coarse_names(
    tree: Mapping[str, Sequence[str]], student: Collection[str], teachers: Collection[str]
) -> tuple[str, ...]:
    """Return the coarse classes of a tree that the student lacks, in the tree's order.

    Args:
        tree: See :class:`Hierarchy`.
        student: The student's names and aliases.
        teachers: The same of all teachers.

    Raises:
        UserError: If a coarse class is one of nobody, and stands below no other.
    """
    lower = {name for finer in tree.values() for name in finer}
    coarse = [name for name in tree if name not in student]
    problems = [
        problem(
            f'{KEY}.{name}', name, 'is no class of the student or a teacher', (*student, *teachers)
        )
        for name in coarse
        if name not in teachers and name not in lower
    ]
    if problems:
        raise UserError(*problems)
    return tuple(coarse)
