"""Where tables are printed."""

from __future__ import annotations

import sys

from rich.console import Console


def console(highlight: bool = False) -> Console:
    """Return a console of the terminal's width; a file has none.

    Args:
        highlight: Whether numbers are colored. Defaults to False.
    """
    return Console(highlight=highlight, width=None if sys.stdout.isatty() else 140)
