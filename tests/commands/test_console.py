"""Names from outside reach a terminal as text, in every line and table."""

from __future__ import annotations

import re

import pytest
from rich.table import Table

from mmcompose.commands.console import console
from mmcompose.utils import printable

NAMES = {
    'markup': ('[/red]', '[/red]'),
    'an emoji': (':car:', ':car:'),
    'a tag': ('<img onerror=1>', '<img onerror=1>'),
    "a terminal's code": ('\x1b[31mcat', r'\x1b[31mcat'),
    'a bell and a return': ('cat\a\rdog', r'cat\x07\rdog'),
    'text from right to left': ('cat\u202egod', r'cat\u202egod'),
    'half a character': ('cat\udcff', r'cat\udcff'),
    'letters': ('Käfer 甲虫', 'Käfer 甲虫'),
}


@pytest.mark.parametrize(('name', 'expected'), NAMES.values(), ids=NAMES)
def test_a_name_is_text(name: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table('teacher', name, title=name)
    table.add_row('first', name)
    out = console()
    out.print(table)
    out.print(f'dropped: {name}')
    told = capsys.readouterr().out
    assert told.count(expected) == 4 and '\x1b' not in told
    assert printable(name) == expected


def test_lines_stay_lines() -> None:
    assert printable('one\n\ttwo') == 'one\n\ttwo'


@pytest.mark.parametrize('columns', [5, 40])
def test_of_a_wide_table_nothing_is_cut_off(
    columns: int, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f'rtmdet_tiny_{number}' for number in range(columns)]
    table = Table('class')
    for name in names:
        table.add_column(name, justify='right')
    table.add_row('a class of some words and thirteen letters', *['0.123'] * columns)
    console(width=60).print(table)
    told = capsys.readouterr().out
    assert '…' not in told and told.count('0.123') == columns
    lines = [re.split('[│┃]', line)[1:-1] for line in told.splitlines()]
    read = [''.join(column).replace(' ', '') for column in zip(*filter(None, lines))]
    assert read == ['classaclassofsomewordsandthirteenletters', *(f'{n}0.123' for n in names)]
