"""Ids in COCO files: numbers in one place, strings in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

Entry = dict[str, Any]


class Ids:
    """Ids as a list of entries has them, found whether they are written as number or as string.

    Args:
        entries: Each with a distinct ``id``.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        ids = [each['id'] for each in entries]
        self._ids = set(ids)
        times = Counter(map(_written, ids))
        self._by_text = {_written(each): each for each in ids if times[_written(each)] == 1}

    def find(self, given: Any) -> Any:
        """Return the id that is meant, or None."""
        if isinstance(given, (int, float, str)) and not isinstance(given, bool):
            return given if given in self._ids else self._by_text.get(_written(given))
        return None


def _written(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
