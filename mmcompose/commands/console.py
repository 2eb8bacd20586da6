"""Where tables are printed."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from mmcompose.utils import printable

# Of a file, which has no width.
_WIDTH = 140


class _PlainConsole(Console):
    """A console that takes text as it is, for it holds names from outside."""

    def render_str(self, text: str, **options: Any) -> Text:
        """See :meth:`rich.console.Console.render_str`."""
        return super().render_str(printable(text), **options)


def console(highlight: bool = False, width: int = _WIDTH) -> Console:
    """Return a console of the terminal's width.

    Args:
        highlight: Whether numbers are colored. Defaults to False.
        width: Where there is no terminal. Defaults to 140.
    """
    width_or_none = None if sys.stdout.isatty() else width
    return _PlainConsole(highlight=highlight, markup=False, emoji=False, width=width_or_none)
