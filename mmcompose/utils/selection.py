"""Selection: some items of a sequence, without a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar('T')


class Selection(Sequence[T]):
    """Some items of a sequence, each read when it is used.

    Args:
        items: The sequence.
        rows: Where the items stand in it, in order.
    """

    def __init__(self, items: Sequence[T], rows: Sequence[int]) -> None:
        self._items = items
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: Any) -> Any:
        """Return the item at ``row`` of the selection, or the selection of a slice of its rows."""
        if isinstance(row, slice):
            return Selection(self._items, self._rows[row])
        return self._items[self._rows[row]]
