"""Hierarchies of classes."""

from __future__ import annotations

from typing import Any

import pytest

from mmcompose.class_space import ClassSpace
from mmcompose.utils import UserError

CLASSES = ['animal', 'cat', 'dog', 'living', 'fern', 'car']


def below(tree: dict[str, Any]) -> set[tuple[str, str]]:
    space = ClassSpace({'a': CLASSES}, hierarchy=tree)
    pairs = zip(*space.hierarchy.below.nonzero(), strict=True)
    return {(CLASSES[coarse], CLASSES[fine]) for coarse, fine in pairs}


def test_classes_stand_below_those_above_them() -> None:
    assert below({}) == set()
    assert below({'animal': ['cat', 'dog']}) == {('animal', 'cat'), ('animal', 'dog')}
    deep = below({'animal': ['cat'], 'living': ['animal', 'fern']})
    assert deep == {
        ('animal', 'cat'),
        ('living', 'animal'),
        ('living', 'fern'),
        ('living', 'cat'),
    }


def test_depth_counts_the_classes_above() -> None:
    space = ClassSpace({'a': CLASSES}, hierarchy={'animal': ['cat'], 'living': ['animal']})
    depth = dict(zip(CLASSES, space.hierarchy.depth.tolist(), strict=True))
    assert (depth['cat'], depth['animal'], depth['living'], depth['car']) == (2, 1, 0, 0)


FINE, COARSE = ['cat', 'dog', 'car'], ['animal', 'car']


@pytest.mark.parametrize(
    ('tree', 'more', 'coarse'),
    [
        ({'animal': ['cat', 'dog']}, {}, ('animal',)),
        # A step in between that nobody knows.
        ({'animal': ['mammal'], 'mammal': ['cat', 'dog']}, {}, ('animal', 'mammal')),
        ({'beast': ['cat', 'dog']}, {'aliases': [{'animal': ['beast']}]}, ('beast',)),
        ({'beast': ['cat']}, {'mapping': {'coarse': {'animal': 'beast'}}}, ('beast',)),
        # Two names of one.
        (
            {'animal': ['cat'], 'beast': ['dog']},
            {'aliases': [{'animal': ['beast']}]},
            ('animal',),
        ),
    ],
)
def test_the_student_need_not_have_the_coarse_class(
    tree: dict[str, list[str]], more: dict[str, Any], coarse: tuple[str, ...]
) -> None:
    space = ClassSpace(
        {'fine': FINE, 'coarse': COARSE}, classes=['cat', 'dog', 'car'], hierarchy=tree, **more
    )
    assert space.classes == ('cat', 'dog', 'car')
    assert space.coarse == coarse
    assert space.teacher_index('coarse').tolist() == [-1, 2]
    wide = space.with_coarse
    assert wide.classes == ('cat', 'dog', 'car', *coarse)
    assert wide.num_classes == 3
    assert wide.teacher_index('coarse').tolist() == [3, 2]
    assert wide.teacher_index('fine').tolist() == [0, 1, 2]
    assert wide.hierarchy.below[3].tolist()[:3] == [True, 'dog' in str(tree), False]


def test_a_class_that_no_hierarchy_names_is_still_unmapped() -> None:
    teachers = {'fine': FINE, 'coarse': [*COARSE, 'rug']}
    with pytest.raises(UserError, match=r"1 classes of teacher coarse .*: 'rug'"):
        ClassSpace(teachers, classes=FINE, hierarchy={'animal': ['cat', 'dog']})


@pytest.mark.parametrize(
    ('tree', 'told'),
    [
        ({'animal': ['cta']}, "hierarchy.animal: 'cta' is not a class .*did you mean 'cat'"),
        (
            {'animals': ['cat']},
            "hierarchy.animals: 'animals' is no class of the student or a teacher; "
            "did you mean 'animal'",
        ),
        ({'animal': 'cat'}, "hierarchy.animal: 'cat' is not a list"),
        (['animal'], 'hierarchy: .* is not a dict'),
        ({'animal': ['cat'], 'cat': ['animal']}, 'hierarchy: animal, cat: .* below itself'),
    ],
)
def test_mistakes(tree: Any, told: str) -> None:
    with pytest.raises(UserError, match=rf'^composition.class_space.{told}'):
        ClassSpace({'a': CLASSES}, hierarchy=tree)
