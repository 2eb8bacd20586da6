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


@pytest.mark.parametrize(
    ('tree', 'told'),
    [
        ({'animal': ['cta']}, "hierarchy.animal: 'cta' is not a class .*did you mean 'cat'"),
        ({'animals': ['cat']}, "hierarchy.animals: 'animals' is not a class of the student"),
        ({'animal': 'cat'}, "hierarchy.animal: 'cat' is not a list"),
        (['animal'], 'hierarchy: .* is no dict'),
        ({'animal': ['cat'], 'cat': ['animal']}, 'hierarchy: animal, cat: .* below itself'),
    ],
)
def test_mistakes(tree: Any, told: str) -> None:
    with pytest.raises(UserError, match=rf'^composition.class_space.{told}'):
        ClassSpace({'a': CLASSES}, hierarchy=tree)
