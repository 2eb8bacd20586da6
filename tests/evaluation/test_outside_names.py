"""Names of others stand in tables as they are."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mmcompose.class_space import ClassSpace, overview
from mmcompose.evaluation.class_tables import class_space_table


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('[/red]', '[/red]'),
        ('[bold]cat', '[bold]cat'),
        ('<img onerror=1>', '<img onerror=1>'),
        ('\x1b[31mcat', r'\x1b[31mcat'),
        ('traffic light', 'traffic light'),
        ('Käfer', 'Käfer'),
    ],
)
def test_a_name_is_shown_as_it_is(name: str, expected: str) -> None:
    out = io.StringIO()
    table = class_space_table(overview(ClassSpace({'[teacher]': [name]})))
    Console(file=out, width=120).print(table)
    assert expected in out.getvalue()
    assert '[teacher]' in out.getvalue()
    assert '\x1b' not in out.getvalue()
