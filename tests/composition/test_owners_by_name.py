"""Tests that a class which a teacher has by name alone is listed where labels are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmcompose.composition import STUDENT, Composition, label_maker
from tests import toys


def _teachers(second: list[str], colours: list[str]) -> dict[str, dict[str, Any]]:
    config = {**toys.TEACHERS['second'], 'classes': second, 'arguments': {'colours': colours}}
    return {'first': toys.TEACHERS['first'], 'second': config}


@pytest.mark.parametrize(
    ('classes', 'listed'),
    [
        (['blue', 'red'], []),
        # Nobody predicts it: nothing tells that this one should.
        (['blue', 'red', 'gold'], []),
        (['blue', 'red', 'green'],
         ["second is an owner by name only of 'green': it predicts none in the pool, others do; "
          'where it cannot, drop it in composition.class_space.mapping.second']),
    ],
)  # fmt: skip
def test_it_is_listed_once_labels_are_made(
    classes: list[str],
    listed: list[str],
    pool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(label_maker, 'log', told.append)
    teachers = _teachers(classes, ['blue', 'red'])
    composition = Composition(**toys.composition(tmp_path / 'store', teachers=teachers))
    images = toys.images_in(pool)
    composition.labels(images)
    assert [line for line in told if 'by name only' in line] == listed
    # Of the pool alone, not of what else the store holds.
    green = composition.predictions(images)['first'].count_labels(2)
    assert green.tolist() == [7, 7]
    assert composition.predictions(images[:2])['first'].count_labels(2).tolist() == [2, 2]


@pytest.mark.parametrize(
    ('teacher', 'student'),
    [
        # What only the student predicts, no teacher lacks.
        (['blue'], ['blue', 'red']),
        # The student lacks what the teacher predicts.
        (['blue', 'red'], ['blue']),
    ],
)
def test_a_student_is_not_looked_at(
    teacher: list[str], student: list[str], pool: Path, tmp_path: Path
) -> None:
    def sees(colours: list[str]) -> dict[str, Any]:
        classes = ['blue', 'red']
        return {**toys.TEACHERS['first'], 'classes': classes, 'arguments': {'colours': colours}}

    config = toys.composition(tmp_path / 'store', teachers={'mine': sees(teacher)})
    composition = Composition(**config).with_teacher(STUDENT, sees(student))
    images = toys.images_in(pool)
    composition.predictions(images)
    assert composition.owners_by_name(images) == []
