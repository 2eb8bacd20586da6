"""What a class space looks like to a person: who knows what, and what may be amiss."""

from __future__ import annotations

import difflib
import itertools
import re
from dataclasses import dataclass

from mmcompose.class_space.class_space import DROPPED, ClassSpace

ALIKE = 0.8


@dataclass(frozen=True)
class Overview:
    """A class space as tables of names.

    Args:
        rows: For each student class its name, and by teacher the names that the teacher has
            for it.
        dropped: By teacher its classes that are dropped.
        without_owner: Student classes that no teacher knows.
        alike: Pairs of names that look alike but are two classes, or of which one is dropped.
    """

    rows: list[tuple[str, dict[str, list[str]]]]
    dropped: dict[str, list[str]]
    without_owner: list[str]
    alike: list[tuple[str, str]]


def overview(space: ClassSpace) -> Overview:
    """Describe a class space."""
    rows: list[tuple[str, dict[str, list[str]]]] = [(name, {}) for name in space.classes]
    dropped: dict[str, list[str]] = {}
    for teacher, names in space.teacher_classes.items():
        for name, index in zip(names, space.teacher_index(teacher).tolist(), strict=True):
            if index == DROPPED:
                dropped.setdefault(teacher, []).append(name)
            else:
                rows[index][1].setdefault(teacher, []).append(name)
    without_owner = [name for name, owners in rows if not owners]
    loose = [name for names in dropped.values() for name in names]
    return Overview(rows, dropped, without_owner, look_alikes([*space.classes, *loose]))


def look_alikes(names: list[str]) -> list[tuple[str, str]]:
    """Return pairs of different names that are spelled nearly alike: 'TV' and 'tv'."""
    plain = {name: re.sub('[^a-z0-9]', '', name.lower()) for name in dict.fromkeys(names)}
    pairs = []
    for first, second in itertools.combinations(plain, 2):
        matcher = difflib.SequenceMatcher(None, plain[first], plain[second])
        # Cheap bounds first: lists of a thousand names make half a million pairs.
        if (
            matcher.real_quick_ratio() >= ALIKE
            and matcher.quick_ratio() >= ALIKE
            and matcher.ratio() >= ALIKE
        ):
            pairs.append((first, second))
    return pairs
