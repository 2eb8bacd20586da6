"""Tests of what a class's constructor takes."""

from __future__ import annotations

from typing import Any

import pytest

from mmcompose.utils import Count, check_arguments, check_values, constructor_parameters


class Base:
    def __init__(self, size: Count, name: str = 'a') -> None:
        self.size, self.name = size, name


class Child(Base):
    def __init__(self, depth: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.depth = depth


class Closed(Base):
    def __init__(self) -> None:
        super().__init__(size=1)


class Anything:
    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments


class Plain:
    pass


def test_arguments_go_on_to_the_next_constructor() -> None:
    assert set(constructor_parameters(Child)) == {'depth', 'size', 'name'}
    assert set(constructor_parameters(Closed)) == set()


@pytest.mark.parametrize(
    ('cls', 'arguments', 'lines'),
    [
        (Child, {'depth': 1, 'size': 1}, []),
        (Child, {'size': 1}, ['key.depth: is missing']),
        (
            Child,
            {'depth': 1, 'siz': 1},
            [
                "key: 'siz' is not a key here (expected: size, name, depth); did you mean 'size'?",
                'key.size: is missing',
            ],
        ),
        (Closed, {'size': 1}, ["key: 'size' is not a key here (expected: )"]),
        (Plain, {'size': 1}, ["key: 'size' is not a key here (expected: )"]),
        # It has to look itself.
        (Anything, {'size': 1}, []),
    ],
)
def test_names_of_arguments(cls: type, arguments: dict[str, Any], lines: list[str]) -> None:
    assert [str(each) for each in check_arguments(cls, arguments, 'key')] == lines


def test_others_may_give_arguments_too() -> None:
    assert check_arguments(Child, ['depth'], 'key', partly=True) == []
    assert check_arguments(Child, ['depth', 'size', 'more'], 'key', also=['more']) == []


def test_values_are_of_the_types_of_every_constructor() -> None:
    assert check_values(Child, {'depth': 1, 'size': 2}, 'key') == []
    lines = [str(each) for each in check_values(Child, {'depth': 1, 'size': 0}, 'key')]
    assert lines == ['key.size: 0 is not 1 or more']
