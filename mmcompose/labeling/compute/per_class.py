"""Numbers that a user gives by class name, as arrays over the student's classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.utils import UserError, problem

NO_CLASS = 'is not a class of the student'


def class_index(key: str, name: str, space: ClassSpace) -> int:
    """Return the student's index of a class name or alias.

    Args:
        key: The argument in which the name stands, for the message.
        name: A class of the student.
        space: The class space.

    Raises:
        UserError: If the student has no such class.
    """
    return int(class_indices(key, [name], space)[0])


def class_indices(key: str, names: Iterable[str], space: ClassSpace) -> NDArray[np.int64]:
    """Return the student's indices ``(N,)`` of class names or aliases.

    Args:
        key: The argument in which the names stand, for messages.
        names: Classes of the student.
        space: The class space.

    Raises:
        UserError: With a line for each name that is not a class of the student, or is the class
            of an earlier one.
    """
    names = list(names)
    indices = space.index(names)
    problems = []
    first: dict[int, str] = {}
    for name, index in zip(names, indices.tolist(), strict=True):
        if index < 0:
            problems.append(problem(key, name, NO_CLASS, space.classes))
        elif first.setdefault(index, name) != name:
            problems.append(problem(key, name, f'is the class of {first[index]!r}, too; name one'))
    if problems:
        raise UserError(*problems)
    return indices


def by_class(
    key: str, default: float, given: Mapping[str, float], space: ClassSpace
) -> NDArray[np.float32]:
    """Return ``(C,)`` float32: the number given for each class, ``default`` where none is.

    In the precision of scores, so that a score of 0.7 reaches a threshold of 0.7.

    Args:
        key: The argument that holds ``given``, for messages.
        default: For classes that are not named.
        given: By class name or alias.
        space: The class space.

    Raises:
        UserError: If a name is not a class of the student, or two are one class.
    """
    values = np.full(len(space.classes), default, np.float32)
    values[class_indices(key, given, space)] = list(given.values())
    return values
