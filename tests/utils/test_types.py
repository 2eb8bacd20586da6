"""Values of a config are checked as a config means them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytest

from mmcompose.utils import check_types


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
        (Mapping[str, Any] | None, 3, 'key.name: 3 is not a dict or None'),
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
