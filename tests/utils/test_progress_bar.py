"""Tests of how long work tells how far it has come."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from rich.console import Console

from mmcompose.utils import counted
from mmcompose.utils import progress as module_progress
from mmcompose.utils.progress_bar import in_words

MODULE = 'mmcompose.utils.progress_bar'


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged, by a clock that goes on 25 seconds at each look."""
    clock: Iterator[float] = iter(range(0, 10_000, 25))
    told: list[str] = []
    monkeypatch.setattr(f'{MODULE}.time.monotonic', lambda: float(next(clock)))
    monkeypatch.setattr(f'{MODULE}.log', told.append)
    return told


def test_a_log_has_a_line_a_minute(lines: list[str]) -> None:
    assert list(module_progress(range(8), 'teachers predict', 8)) == list(range(8))
    assert lines == [
        'teachers predict: 2 of 8 (0.0267/s, 3:45 left)',
        'teachers predict: 5 of 8 (0.0333/s, 1:30 left)',
    ]


def test_a_line_has_what_else_there_is_to_tell(lines: list[str]) -> None:
    list(module_progress(range(4), 'teachers predict', 4, lambda: 'time of a 75%, b 25%'))
    assert lines == ['teachers predict: 2 of 4 (0.0267/s, 1:15 left); time of a 75%, b 25%']


def test_work_that_is_no_loop_has_a_line_a_minute(lines: list[str]) -> None:
    with counted('teachers predict', 1000) as show:
        for done in (0, 0, 0, 32, 64, 96, 1000):
            show(done)
    assert lines == [
        'teachers predict: 32 of 1000 (0.32/s, 50:25 left)',
    ]


def test_a_terminal_has_a_bar_and_the_rest_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(f'{MODULE}.Console', lambda stderr: terminal)
    with counted('teachers predict', 1000, lambda: f'time of {"a long name" * 4} 75%') as show:
        show(32)
    plain = re.sub(r'\x1b\[[\d?]*[A-Za-z]', '', shown.getvalue())
    lines = [line for line in re.split(r'[\r\n]', plain) if line.strip()]
    assert re.match(r'teachers predict .* 32/1000 ', lines[-2])
    assert lines[-1].strip() == f'time of {"a long name" * 4} 75%'


def test_short_work_says_nothing(lines: list[str]) -> None:
    assert list(module_progress(range(2), 'labels', 2)) == [0, 1]
    assert lines == []


@pytest.mark.parametrize(
    ('done', 'total', 'seconds', 'words'),
    [
        (1000, 0, 100, '1000 (10/s)'),
        (10, 10_000, 10, '10 of 10000 (1/s, 2:46:30 left)'),
        (9, 10, 60, '9 of 10 (0.15/s, 0:07 left)'),
    ],
)
def test_words(done: int, total: int, seconds: float, words: str) -> None:
    assert in_words(done, total, seconds) == words
