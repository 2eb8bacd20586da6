"""Tests of arguments that several verbs take."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import pytest

from mmcompose.commands.arguments import add_config


def _options(*given: str) -> dict[str, Any]:
    parser = ArgumentParser()
    add_config(parser)
    parsed: dict[str, Any] = parser.parse_args(['c.py', '--cfg-options', *given]).cfg_options
    return parsed


@pytest.mark.parametrize(
    ('given', 'value'),
    [
        ('work dirs/spaced', 'work dirs/spaced'),
        (' run (2) of 3 ', 'run (2) of 3'),
        ('[traffic light,no, person ]', ['traffic light', 'no', 'person']),
        ('traffic light, no', ['traffic light', 'no']),
        ('[\'traffic light\', "stop sign"]', ['traffic light', 'stop sign']),
        ("' a b '", 'a b'),
        ('[ (a b, 1) , ( 2.5,None), [ ] ]', [('a b', 1), (2.5, None), []]),
        ("[' 1', '2 ']", [1, 2]),
        (' 5 ', 5),
        ('a=b c', 'a=b c'),
    ],
)
def test_a_value_keeps_the_spaces_inside_it(given: str, value: Any) -> None:
    assert _options(f'a.b={given}', 'c=d e') == {'a.b': value, 'c': 'd e'}
    # As a card has it.
    assert _options(f'a.b={value}') == {'a.b': value}
