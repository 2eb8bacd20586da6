"""One logger: MMEngine's, so that messages reach a run's own log file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.logging import MMLogger, print_log


def printable(text: str) -> str:
    """Return a text in which what cannot be printed, such as a terminal's codes, is its code."""
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() or c in '\n\t' else ascii(c)[1:-1] for c in text)


def log(message: str, level: int = logging.INFO) -> None:
    """Log through the running Runner's logger, or MMEngine's default one outside a run."""
    print_log(printable(message), logger='current', level=level)


def warn(message: str) -> None:
    """Log a warning; see :func:`log`."""
    log(message, logging.WARNING)


@contextmanager
def logging_from(level: int) -> Iterator[None]:
    """Log nothing below a level meanwhile.

    Args:
        level: One of :mod:`logging`'s.
    """
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
