"""How far long work has come: a bar on a terminal, a line a minute in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console, RenderableType
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
    """Yield ``items``, and show how many were: see :func:`counted`.

    Args:
        items: Yielded one by one.
        description: What is at work, e.g. 'counting labels'.
        total: How many there are; 0 where that is not known.
        detail: Returns what else there is to tell by now. Defaults to nothing.
    """
    with counted(description, total, detail) as show:
        done = 0
        for done, item in enumerate(items, start=1):
            show(done - 1)
            yield item
        show(done)


@contextmanager
def counted(
    description: str, total: int, detail: Callable[[], str] | None = None
) -> Iterator[Callable[[int], None]]:
    """Show how far work has come: a bar on stderr on a terminal, else a log line a minute.

    Work of less than a minute leaves no line.

    Args:
        description: What is at work, e.g. 'teachers predict'.
        total: How much there is; 0 where that is not known.
        detail: Returns what else there is to tell by now. Defaults to nothing.

    Yields:
        A function of how much is done, to be called now and then.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(description, total, detail)
        return
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
    )
    with _Bar(*columns, console=console) as bar:
        task = bar.add_task(description, total=total or None)

        def show(done: int) -> None:
            bar.detail = detail() if detail is not None else ''
            bar.update(task, completed=done)

        yield show


class _Bar(Progress):
    """A bar, and what else there is to tell on a line of its own: beside it there is no room."""

    detail = ''

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the lines."""
        yield from super().get_renderables()
        if self.detail:
            yield Text(f'  {self.detail}')


class _Speed(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Return the speed of the last seconds."""
        speed = task.finished_speed or task.speed
        return Text('' if speed is None else f'{speed:.3g}/s')


class _Lines:
    """A log line a minute."""

    def __init__(self, description: str, total: int, detail: Callable[[], str] | None) -> None:
        self._description = description
        self._total = total
        self._detail = detail
        self._started = self._logged = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._logged < SECONDS_BETWEEN_LINES or not done or done == self._total:
            return
        self._logged = now
        more = f'; {self._detail()}' if self._detail is not None and self._detail() else ''
        log(f'{self._description}: {in_words(done, self._total, now - self._started)}{more}')


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
