"""Values of a config are checked as a config means them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest

from mmcompose.utils import Count, Fraction, Positive, Range, check_types


@pytest.mark.parametrize(
    ('hint', 'fitting', 'others'),
    [
        (int, [0, -3], [0.5, True, '1', None]),
        (float, [0, 0.5], [False, '0.5', None]),
        (bool, [True], [1, 'True']),
        (str, ['', 'a'], [1, ['a'], None]),
        (str | None, ['a', None], [1]),
        (Sequence[str], [[], ['a'], ('a', 'b')], ['a', [1], {'a': 1}]),
        (str | Sequence[str], ['a', ['a']], [3, [3]]),
        (int | Sequence[int], [3, [1], range(5)], ['a', ['a'], range]),
        (tuple[int, int], [(1, 2), [1, 2]], [(1,), (1, 2, 3), (1, 'a'), 1]),
        (tuple[float, ...], [(1, 2.5), []], [('a',), 1]),
        (Mapping[str, int], [{}, {'a': 1}], [{'a': 'b'}, {1: 1}, ['a']]),
        (Mapping[str, Any], [{'a': None}], [3]),
        (list[Mapping[str, Any]], [[{'a': 1}], ()], [['a'], {'a': 1}]),
        (Literal['a', 'b'], ['a'], ['c']),
        (bool | Mapping[str, Any], [True, {}], ['yes']),
        (Any, [None, 3, 'a'], []),
        (Callable[..., Any] | None, [None, print, 'anything'], []),
    ],
)
def test_which_values_fit(hint: Any, fitting: list[Any], others: list[Any]) -> None:
    for value in fitting:
        assert check_types('key', {'name': value}, {'name': hint}) == []
    for value in others:
        assert len(check_types('key', {'name': value}, {'name': hint})) == 1


@pytest.mark.parametrize(
    ('hint', 'value', 'line'),
    [
        (int, 'a', "key.name: 'a' is not a whole number"),
        (float | None, 'a', "key.name: 'a' is not a number or None"),
        (str | Sequence[str], 3, 'key.name: 3 is not a string or a list of strings'),
        (Sequence[float], 3, 'key.name: 3 is not a list of numbers'),
        (Sequence[Mapping[str, Any]], 3, 'key.name: 3 is not a list'),
        (Sequence[Mapping[str, Any]] | None, [{}, 3], 'key.name[1]: 3 is not a dict'),
        (
            list[tuple[str, str]] | None,
            [('a', 'b'), 'cd'],
            "key.name[1]: 'cd' is not 2 values: a string, a string",
        ),
        (Mapping[str, Sequence[str]], {'a': ['b', 3]}, 'key.name.a[1]: 3 is not a string'),
        (Mapping[str, Any] | None, 3, 'key.name: 3 is not a dict or None'),
        (Mapping[str, int] | None, {1: 1}, 'key.name: 1 is not a string, as a name here is'),
        (
            tuple[int, int] | None,
            3,
            'key.name: 3 is not 2 values: a whole number, a whole number or None',
        ),
        (Literal['a', 'b'], 3, "key.name: 3 is not 'a' or 'b'"),
    ],
)
def test_a_value_that_does_not_is_told_in_words(hint: Any, value: Any, line: str) -> None:
    (told,) = check_types('key', {'name': value}, {'name': hint})
    assert str(told) == line


def test_what_has_no_annotation_is_taken_as_it_comes() -> None:
    assert check_types('key', {'name': 3}, {}) == []


@pytest.mark.parametrize(
    ('hint', 'fitting', 'value', 'line'),
    [
        (Fraction, [0, 0.5, 1], 1.5, 'key.name: 1.5 is not in [0, 1]'),
        (Fraction, [], float('nan'), 'key.name: nan is not in [0, 1]'),
        (Fraction | None, [None, 1], -1, 'key.name: -1 is not in [0, 1]'),
        (Fraction, [], '1', "key.name: '1' is not a number"),
        (Positive, [0.1, 9], 0, 'key.name: 0 is not above 0'),
        (Positive, [], float('inf'), 'key.name: inf is not above 0'),
        (Count, [1, 9], 0, 'key.name: 0 is not 1 or more'),
        (Count, [], 1.5, 'key.name: 1.5 is not a whole number'),
        (Annotated[float, Range(above=0, high=1)], [1], 0, 'key.name: 0 is not in (0, 1]'),
        (Annotated[float, Range(0, below=1)], [0], 1, 'key.name: 1 is not in [0, 1)'),
        (Sequence[Positive], [[1]], 3, 'key.name: 3 is not a list of numbers'),
        (Mapping[str, Fraction], [{'a': 1}], {'a': 2}, 'key.name.a: 2 is not in [0, 1]'),
        (
            Mapping[str, Fraction | Mapping[str, Fraction]],
            [{'a': 1, 'b': {'c': 0}}],
            {'b': {'c': 2}},
            'key.name.b.c: 2 is not in [0, 1]',
        ),
        (Mapping[str, Mapping[str, int]], [{}], {'a': 3}, 'key.name.a: 3 is not a dict'),
        (Sequence[Fraction], [[0, 1]], [0, 2], 'key.name[1]: 2 is not in [0, 1]'),
    ],
)
def test_ranges(hint: Any, fitting: list[Any], value: Any, line: str) -> None:
    for good in fitting:
        assert check_types('key', {'name': good}, {'name': hint}) == []
    assert [str(each) for each in check_types('key', {'name': value}, {'name': hint})] == [line]


def test_the_nearest_of_listed_values_is_suggested() -> None:
    (found,) = check_types('key', {'name': 'gauss'}, {'name': Literal['linear', 'gaussian']})
    assert found.suggestion == 'gaussian'
