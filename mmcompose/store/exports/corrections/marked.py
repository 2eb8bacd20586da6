"""What somebody marked in a picture, and what reads it out of an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmcompose.structures.finite import finite_number
from mmcompose.utils import UserError, problem

ARGUMENT = 'corrected'


@dataclass(frozen=True)
class Marked:
    """The boxes of one picture.

    Args:
        key: The picture's in the pool.
        boxes: Corners (xyxy) in pixels.
        names: The class of each.
        ignored: Whether each neither teaches nor counts as background.
    """

    key: str
    boxes: list[list[float]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    ignored: list[bool] = field(default_factory=list)

    def add(self, box: list[float], name: str, ignored: bool = False) -> None:
        """Add a box."""
        self.boxes.append(box)
        self.names.append(name)
        self.ignored.append(ignored)


def take_text(path: str, place: str, entry: Mapping[str, Any], name: str) -> str:
    """Return the text that an entry of a file has by a name.

    Args:
        path: The file, for messages.
        place: Where in it the entry stands, for messages.
        entry: The entry.
        name: The name.

    Raises:
        UserError: If it has none.
    """
    text = entry.get(name)
    if not isinstance(text, str) or not text:
        raise UserError(problem(ARGUMENT, path, f'has no {name} in {place}'))
    return text


def take_numbers(
    path: str, place: str, entry: Mapping[str, Any], names: Sequence[str]
) -> list[float]:
    """Return the numbers that an entry has by some names; see :func:`take_text`."""
    numbers = []
    for name in names:
        number = finite_number(entry.get(name))
        if number is None:
            raise UserError(problem(ARGUMENT, path, f'has no number as {name} in {place}'))
        numbers.append(number)
    return numbers
