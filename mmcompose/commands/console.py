"""Where tables are printed."""

from __future__ import annotations

import sys
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmcompose.utils import printable

# Of a file, which has no width.
_WIDTH = 140
# Of a column of names in a table that is too wide.
_LEAST = 8


class _PlainConsole(Console):
    """A console that takes text as it is, for it holds names from outside."""

    def render_str(self, text: str, **options: Any) -> Text:
        """See :meth:`rich.console.Console.render_str`."""
        return super().render_str(printable(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """See :meth:`rich.console.Console.print`; of tables nothing is cut off."""
        for table in objects:
            if isinstance(table, Table):
                _keep_whole(table, self.width)
        super().print(*objects, **{'crop': False, **options})


def _keep_whole(table: Table, width: int) -> None:
    """Let a table that is too wide break names and heads, and no number."""
    # A cell has a space on each side, and a line.
    least = 1
    for column in table.columns:
        column.overflow = 'fold'
        longest = max((cell_len(str(cell)) for cell in column.cells), default=0)
        column.min_width = longest if column.justify == 'right' else min(longest, _LEAST)
        least += column.min_width + 3
    if least > width:
        table.width = least


def console(highlight: bool = False, width: int = _WIDTH) -> Console:
    """Return a console of the terminal's width.

    Args:
        highlight: Whether numbers are colored. Defaults to False.
        width: Where there is no terminal. Defaults to 140.
    """
    width_or_none = None if sys.stdout.isatty() else width
    return _PlainConsole(highlight=highlight, markup=False, emoji=False, width=width_or_none)
