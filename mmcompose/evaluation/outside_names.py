"""Names from outside, shown as they are: neither markup nor a terminal's codes."""

from __future__ import annotations

from rich.text import Text

from mmcompose.utils import printable


def shown(name: str) -> Text:
    """Return a name for a cell of a table; what cannot be printed is written as its code."""
    return Text(printable(name.replace('\n', '\\n')))
