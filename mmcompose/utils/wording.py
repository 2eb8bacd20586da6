"""Wording: what several messages have in common."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest


def first_line(error: object) -> str:
    """Return the first line of an error's message, in one piece; its type where it has none."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    # Some of MMDet's messages are wrapped in their source.
    return ' '.join(lines[0].split())


def examples(names: Sequence[object], count: int = 5) -> str:
    """Return the first of what a message lists, and how many there are beside them.

    Args:
        names: What is listed; each counts once.
        count: How many are shown. Defaults to 5.

    Returns:
        E.g. ``a, b and 3 more``.
    """
    distinct = list(dict.fromkeys(map(str, names)))
    more = len(distinct) - count
    return ', '.join(distinct[:count]) + (f' and {more} more' if more > 0 else '')


def first_difference(first: Sequence[object], second: Sequence[object]) -> tuple[str, str]:
    """Return how many each of two unequal lists holds, and what stands where they first differ.

    Args:
        first: A list.
        second: Another.

    Returns:
        Of each, e.g. ``3, number 0 is 'cat'``.
    """
    pairs = enumerate(zip_longest(first, second))
    number, found = next((number, pair) for number, pair in pairs if pair[0] != pair[1])
    left, right = (f'number {number} is {each!r}' for each in found)
    return f'{len(first)}, {left}', f'{len(second)}, {right}'
