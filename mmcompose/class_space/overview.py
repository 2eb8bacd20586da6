"""What a class space looks like to a person: who knows what, and what may be amiss."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space.aliases import shipped_ties
from mmcompose.class_space.class_names import is_placeholder
from mmcompose.class_space.class_space import DROPPED, ClassSpace
from mmcompose.class_space.spelling import same_but_for_spelling, spelling

ALIKE = 0.8
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Overview:
    """A class space as tables of names.

    Args:
        teachers: Their names, in their order.
        rows: For each student class its name, and by teacher the names that the teacher has
            for it.
        coarse: The same for the coarse classes that only the hierarchy names: boxes of them
            support finer ones.
        dropped: By teacher its classes that are dropped.
        without_owner: Student classes that no teacher knows.
        alike: Pairs of names that look alike but are two classes, or of which one is dropped.
        tied: Pairs that a shipped alias table takes for one class, but that are two here, or of
            which one is dropped; with the table's name.
    """

    teachers: tuple[str, ...]
    rows: list[tuple[str, dict[str, list[str]]]]
    coarse: list[tuple[str, dict[str, list[str]]]]
    dropped: dict[str, list[str]]
    without_owner: list[str]
    alike: list[tuple[str, str]]
    tied: list[tuple[str, str, str]]


def overview(space: ClassSpace) -> Overview:
    """Describe a class space."""
    wide = space.with_coarse
    rows: list[tuple[str, dict[str, list[str]]]] = [(name, {}) for name in wide.classes]
    dropped: dict[str, list[str]] = {}
    for teacher, names in wide.teacher_classes.items():
        for name, index in zip(names, wide.teacher_index(teacher).tolist(), strict=True):
            if index == DROPPED:
                dropped.setdefault(teacher, []).append(name)
            else:
                rows[index][1].setdefault(teacher, []).append(name)
    rows, coarse = rows[: len(space.classes)], rows[len(space.classes) :]
    without_owner = [name for name, owners in rows if not owners]
    loose = [name for names in dropped.values() for name in names if not is_placeholder(name)]
    every = list(dict.fromkeys([*wide.classes, *loose]))
    tied = shipped_ties(every, every)
    known = {(first, second) for first, second, _ in tied}
    alike = [pair for pair in look_alikes(every) if pair not in known and pair[::-1] not in known]
    return Overview(space.teachers, rows, coarse, dropped, without_owner, alike, tied)


def look_alikes(names: list[str]) -> list[tuple[str, str]]:
    """Return pairs of different names that are spelled nearly alike: 'TV' and 'tv'."""
    names = list(dict.fromkeys(names))
    plain = [spelling(name) for name in names]
    letters = sorted(set().union(*plain))
    counts = np.array([[text.count(each) for each in letters] for text in plain], np.int16)
    lengths = np.array(list(map(len, plain)))
    pairs = []
    for number, first in enumerate(names):
        # A bound first, of letters in any order: a thousand names make half a million pairs.
        shared = np.minimum(counts[number], counts[number + 1 :]).sum(axis=1)
        least = ALIKE * (lengths[number] + lengths[number + 1 :])
        near = number + 1 + np.flatnonzero(2 * shared >= least - _ROUNDING)
        pairs += [
            (first, names[other])
            for other in near.tolist()
            if difflib.SequenceMatcher(None, plain[number], plain[other]).ratio() >= ALIKE
        ]
    return pairs


def spelled_alike(space: ClassSpace) -> list[tuple[str, str]]:
    """Return pairs of classes whose names differ in spelling alone: 'Person', 'person '.

    Names that one teacher distinguishes are left out, and those that ``mapping`` drops.
    """
    wide = space.with_coarse
    names = [*wide.classes, *(name for left_out in wide.unmapped.values() for name in left_out)]
    together = [set(names) for names in wide.teacher_classes.values()]
    return [
        (first, other)
        for first, other in same_but_for_spelling(names)
        if not any({first, other} <= own for own in together)
    ]


def owned_by_name_only(
    space: ClassSpace, found: Mapping[str, NDArray[np.integer]]
) -> list[tuple[str, str]]:
    """Return what teachers know by name, but never predict, while others do.

    Args:
        space: The class space.
        found: By teacher ``(C,)``, how many boxes of each of the student's classes it predicts
            in the whole pool. Teachers that are not in it are not looked at.

    Returns:
        ``(teacher, class)`` for each such class.
    """
    total = np.sum(list(found.values()), axis=0)
    return [
        (teacher, name)
        for column, teacher in enumerate(space.teachers)
        if teacher in found
        for label, name in enumerate(space.classes)
        if space.owners[label, column] and not found[teacher][label] and total[label]
    ]
