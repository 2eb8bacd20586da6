"""Tests of what several messages have in common."""

from __future__ import annotations

import pytest

from mmcompose.utils import examples, first_line


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (ValueError('no such key'), 'no such key'),
        (RuntimeError('\n  cannot be   read\nmore of it'), 'cannot be read'),
        # A message may be empty, or blank.
        (AssertionError(), 'AssertionError'),
        (ValueError(' \n'), 'ValueError'),
    ],
)
def test_the_first_line_of_an_error(error: Exception, line: str) -> None:
    assert first_line(error) == line


@pytest.mark.parametrize(
    ('names', 'line'),
    [
        ([], ''),
        (['a', 'b', 'c'], 'a, b, c'),
        (['a', 'b', 'c', 'd', 'e'], 'a, b, c and 2 more'),
        (['a', 'a', 'b', 'a', 'c', 'd'], 'a, b, c and 1 more'),
        ([3, 1], '3, 1'),
    ],
)
def test_a_few_of_what_is_listed(names: list[object], line: str) -> None:
    assert examples(names, 3) == line
