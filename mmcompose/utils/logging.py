"""One logger: MMEngine's, so that messages reach a run's own log file."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TypeVar

from mmengine.logging import print_log
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar('T')


def log(message: str, level: int = logging.INFO) -> None:
    """Log through the running Runner's logger, or MMEngine's default one outside a run."""
    print_log(message, logger='current', level=level)


def warn(message: str) -> None:
    """Log a warning; see :func:`log`."""
    log(message, logging.WARNING)


def progress(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yield ``items`` beside a progress bar on stderr; silent where that is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield from bar.track(items, description=description, total=total)
