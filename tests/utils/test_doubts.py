"""Doubts are errors that name their check, or warnings where it is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from mmcompose.utils import (
    UserError,
    allowing,
    check_names,
    doubt,
    doubts,
    fault,
    is_allowed,
    without_allowed,
)

FOUND = fault('boxes', 'are odd')


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(doubts, 'warn', lines.append)
    return lines


@pytest.mark.parametrize('allowed', [None, (), ['no-labels'], 'tiny-boxes', 5, [{}, None]])
def test_a_doubt_is_an_error_whose_line_tells_how_to_allow_it(
    allowed: Any, told: list[str]
) -> None:
    line = r"^boxes: are odd; allow=\['tiny-boxes'\] makes this a warning$"
    with allowing(allowed), pytest.raises(UserError, match=line):
        doubt('tiny-boxes', FOUND)
    assert told == []


def test_what_is_allowed_is_a_warning_inside_and_not_after(told: list[str]) -> None:
    with allowing(['tiny-boxes']), allowing(['box-form']):
        doubt('tiny-boxes', FOUND)
        assert without_allowed([FOUND, FOUND.doubtful('box-form')]) == [FOUND]
    assert told[0] == 'boxes: are odd' and len(told) == 2
    assert not is_allowed('tiny-boxes')


def test_names_of_no_check_are_told_with_the_nearest() -> None:
    assert check_names('allow', ['box-form', 'no-labels']) == []
    (one,) = check_names('allow', ['boxform'])
    assert str(one) == "allow[0]: 'boxform' is no check; did you mean 'box-form'?"
    assert len(check_names('allow', [{}, ['box-form'], None])) == 3
    (one,) = check_names('allow', 'box-form')
    assert 'is no list of checks' in str(one)
