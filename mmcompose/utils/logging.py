"""One logger: MMEngine's, so that messages reach a run's own log file."""

from __future__ import annotations

import logging

from mmengine.logging import print_log


def log(message: str, level: int = logging.INFO) -> None:
    """Log through the running Runner's logger, or MMEngine's default one outside a run."""
    print_log(message, logger='current', level=level)


def warn(message: str) -> None:
    """Log a warning; see :func:`log`."""
    log(message, logging.WARNING)
