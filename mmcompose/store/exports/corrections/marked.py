"""What somebody marked in a picture, and what reads it out of an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmcompose.structures.finite import finite_number
from mmcompose.utils import UserError, problem

ARGUMENT = 'corrected'


@dataclass
class Marked:
    """The boxes of one picture.

    Args:
        key: The picture's in the pool.
        size: Its width and height in pixels, where the tool wrote them.
        boxes: Corners (xyxy) in pixels.
        names: The class of each.
        ignored: Whether each neither teaches nor counts as background.
        rotated: How many boxes are the upright ones around boxes that were turned.
        others: The kinds of marks that are no boxes.
        segmentations: The mask of each box as COCO has it, None of those that have none.
    """

    key: str
    size: tuple[float, float] | None = None
    boxes: list[list[float]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    ignored: list[bool] = field(default_factory=list)
    rotated: int = 0
    others: list[str] = field(default_factory=list)
    segmentations: list[Any] = field(default_factory=list)

    def add(
        self,
        box: list[float],
        name: str,
        ignored: bool = False,
        degrees: float = 0,
        pivot: tuple[float, float] | None = None,
        segmentation: Any = None,
    ) -> None:
        """Add a box.

        Args:
            box: Corners (xyxy) in pixels, before it is turned.
            name: Its class.
            ignored: Whether it neither teaches nor counts as background.
            degrees: By which it is turned clockwise; the upright box around it is added.
            pivot: The point about which. Defaults to the center.
            segmentation: Its mask as COCO has it. Defaults to none.
        """
        if degrees % 360:
            self.rotated += 1
            box = _around(box, degrees, pivot)
        self.boxes.append(box)
        self.names.append(name)
        self.ignored.append(ignored)
        self.segmentations.append(segmentation)


def _around(box: list[float], degrees: float, pivot: tuple[float, float] | None) -> list[float]:
    """Return the upright box around one that is turned."""
    x1, y1, x2, y2 = box
    center = np.array(pivot or ((x1 + x2) / 2, (y1 + y2) / 2))
    corners = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)]) - center
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    turned = corners @ np.array([(cosine, sine), (-sine, cosine)]) + center
    return [*turned.min(0).tolist(), *turned.max(0).tolist()]


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
