"""A config in a checkpoint is read as values, whatever its maker wrote there."""

from __future__ import annotations

from typing import Any

import pytest

from mmcompose.utils.plain_python import plain_assignments


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('', {}),
        ('a = 1\nb = -1.5\n', {'a': 1, 'b': -1.5}),
        ("a = dict(b='x', **{'c d': [1, (2, None)]})", {'a': {'b': 'x', 'c d': [1, (2, None)]}}),
        ("a = {'b': True, 1: {2}}", {'a': {'b': True, 1: {2}}}),
        ('# a comment\na = [dict(b=1), dict(b=2)]', {'a': [{'b': 1}, {'b': 2}]}),
    ],
)
def test_plain_values(text: str, expected: dict[str, Any]) -> None:
    assert plain_assignments(text) == expected


@pytest.mark.parametrize(
    'text',
    [
        'import os',
        "a = __import__('os').system('true')",
        'a = 1\nprint(a)',
        'a = b',
        'a = [x for x in range(3)]',
        "a = dict([('b', 1)])",
        "a = f'{1}'",
        "a = {**{'b': 1}}",
        'a.b = 1',
        'a, b = 1, 2',
        'a = (',
        'a = ' + '(' * 100_000,
        "a = dict(b=open('c'))",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r'has more than plain values in line|is no Python'):
        plain_assignments(text)
