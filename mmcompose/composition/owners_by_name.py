"""Which teachers know a class by name alone: they predict it nowhere in the pool, others do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace, owned_by_name_only
from mmcompose.labeling import STUDENT
from mmcompose.store import PoolResults
from mmcompose.utils import examples

_SHOWN = 10


def owners_by_name(space: ClassSpace, predictions: Mapping[str, PoolResults]) -> list[str]:
    """Return a line for each teacher that owns classes by name alone.

    Such an owner's silence lowers the scores of the others' boxes. A student that votes in a
    refresh round is left out: it is in no config, and predicts what the teachers taught it.

    Args:
        space: The class space.
        predictions: Of each teacher, of a pool.
    """
    found = {
        name: _counts(space, name, each) for name, each in predictions.items() if name != STUDENT
    }
    names: dict[str, list[str]] = {}
    for teacher, name in owned_by_name_only(space, found):
        names.setdefault(teacher, []).append(repr(name))
    return [
        f'{teacher} is an owner by name only of {examples(known, _SHOWN)}: '
        'it predicts none in the pool, others do; where it cannot, drop it in '
        f'{space.mapping_key(teacher)}'
        for teacher, known in names.items()
    ]


def _counts(space: ClassSpace, teacher: str, predictions: PoolResults) -> NDArray[np.int64]:
    """Return ``(C,)``, how many boxes of each of the student's classes a teacher predicts."""
    own = predictions.count_labels(len(space.teacher_classes[teacher]))
    index = space.teacher_index(teacher)
    is_known = (index >= 0) & (index < len(space.classes))
    counts = np.zeros(len(space.classes), np.int64)
    np.add.at(counts, index[is_known], own[is_known])
    return counts
