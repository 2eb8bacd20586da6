"""Chained: several sequences as one, without a copy."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, TypeVar

T = TypeVar('T')


class Chained(Sequence[T]):
    """The items of several sequences, one after another, each read when it is used.

    Args:
        parts: The sequences.
    """

    def __init__(self, parts: Sequence[Sequence[T]]) -> None:
        self._parts = parts
        self.starts = [0, *accumulate(map(len, parts))]

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, row: Any) -> Any:
        """Return the item at ``row``, which counts from the start."""
        if not 0 <= row < len(self):
            raise IndexError(f'row {row} of {len(self)}')
        part = bisect_right(self.starts, row) - 1
        return self._parts[part][row - self.starts[part]]
