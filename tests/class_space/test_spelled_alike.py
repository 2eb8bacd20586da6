"""Classes that are two by their spelling alone, and owners that never predict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmcompose.class_space import ClassSpace, owned_by_name_only, spelled_alike


@pytest.mark.parametrize(
    ('teachers', 'arguments', 'expected'),
    [
        ({'a': ['Person'], 'b': ['person ']}, {}, [('Person', 'person ')]),
        ({'a': ['car'], 'b': ['cars', 'dog']}, {}, [('car', 'cars')]),
        ({'a': ['person'], 'b': ['person']}, {}, []),
        # Somebody tells them apart.
        ({'a': ['glass', 'glasses'], 'b': ['glasses']}, {}, []),
        ({'a': ['Person'], 'b': ['person']}, {'aliases': [{'Person': ['person']}]}, []),
        ({'a': ['Person'], 'b': ['person']}, {'mapping': {'b': {'person': 'Person'}}}, []),
        ({'a': ['Person'], 'b': ['person']}, {'mapping': {'b': {'person': None}}}, []),
        (
            {'a': ['Person'], 'b': ['person']},
            {'classes': ['Person'], 'on_unmapped': 'drop'},
            [('Person', 'person')],
        ),
    ],
)
def test_names_that_differ_in_spelling_alone(
    teachers: dict[str, list[str]], arguments: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert spelled_alike(ClassSpace(teachers, **arguments)) == expected


def test_owners_by_name_only() -> None:
    space = ClassSpace({'a': ['fish', 'cat'], 'b': ['fish', 'salmon']})
    found = {'a': np.array([3, 0, 0]), 'b': np.array([0, 0, 2])}
    # Of cats there are none: nobody is missed.
    assert owned_by_name_only(space, found) == [('b', 'fish')]
    # Of those that are looked at.
    assert owned_by_name_only(space, {'b': found['b']}) == []
