"""Numbers that a user gives by class name, as arrays over the student's classes."""

from __future__ import annotations

from collections.abc import Mapping

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
    index = int(space.index([name])[0])
    if index < 0:
        raise UserError(problem(key, name, NO_CLASS, space.classes))
    return index


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
        UserError: If a name is not a class of the student.
    """
    values = np.full(len(space.classes), default, np.float32)
    names = list(given)
    indices = space.index(names)
    unknown = [name for name, index in zip(names, indices.tolist(), strict=True) if index < 0]
    if unknown:
        raise UserError(*(problem(key, name, NO_CLASS, space.classes) for name in unknown))
    values[indices] = list(given.values())
    return values
