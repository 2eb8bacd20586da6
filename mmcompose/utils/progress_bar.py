"""How far long work has come: a bar on a terminal, a line a minute in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from mmcompose.utils.logging import log

T = TypeVar('T')

SECONDS_BETWEEN_LINES = 60.0


def progress(
    items: Iterable[T], description: str, total: int, detail: Callable[[], str] | None = None
) -> Iterator[T]:
    """Yield ``items``; on a terminal beside a bar on stderr, else with a log line a minute.

    Work of less than a minute leaves no line.

    Args:
        items: Yielded one by one.
        description: What is at work, e.g. 'teachers predict'.
        total: How many there are; 0 where that is not known.
        detail: Returns what else there is to tell by now. Defaults to nothing.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _lines(items, description, total, detail)
        return
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(description, total=total or None)
        for item in items:
            yield item
            more = f' ({detail()})' if detail is not None and detail() else ''
            bar.update(task, advance=1, description=description + more)


class _Speed(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Return the speed of the last seconds."""
        speed = task.finished_speed or task.speed
        return Text('' if speed is None else f'{speed:.3g}/s')


def _lines(
    items: Iterable[T], description: str, total: int, detail: Callable[[], str] | None
) -> Iterator[T]:
    started = logged = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - logged >= SECONDS_BETWEEN_LINES and done:
            logged = now
            more = f'; {detail()}' if detail is not None and detail() else ''
            log(f'{description}: {in_words(done, total, now - started)}{more}')
        yield item


def in_words(done: int, total: int, seconds: float) -> str:
    """Return how far work has come, how fast it is, and when it will be done.

    Args:
        done: How many are done, at least 1.
        total: Of how many; 0 where that is not known.
        seconds: Since it began.
    """
    speed = f'{done / seconds:.3g}/s'
    if not total:
        return f'{done} ({speed})'
    left = round((total - done) * seconds / done)
    minutes, seconds_left = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    time_left = (
        f'{hours}:{minutes:02d}:{seconds_left:02d}' if hours else f'{minutes}:{seconds_left:02d}'
    )
    return f'{done} of {total} ({speed}, {time_left} left)'
