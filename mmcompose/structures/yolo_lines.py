"""The lines of a YOLO text file: a class number and a box, relative to the picture's size."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmcompose.structures.box_forms import CXCYWH, FORMS
from mmcompose.structures.finite import finite_number
from mmcompose.structures.json_files import read_text
from mmcompose.utils import UserError, problem

# A line's number in its file, from 1, and what stands there.
Line: TypeAlias = tuple[int, tuple[float, ...]]
# How far over the picture's border a relative coordinate may lie.
_SLACK = 0.1


def read_yolo_lines(key: str, path: str, columns: str) -> list[Line]:
    """Read a text file of YOLO; blank lines are passed over.

    Args:
        key: The config key or argument that names the file, for messages.
        path: The file.
        columns: What a line holds: ``'class cx cy w h'``, and whatever is behind it.

    Raises:
        UserError: If a line holds anything else, or is not relative to the picture's size.
    """
    found = []
    for number, line in enumerate(read_text(key, path).splitlines(), start=1):
        if not line.strip():
            continue
        row = [value for each in line.split() if (value := finite_number(each)) is not None]
        if len(row) != len(line.split()) or len(row) != len(columns.split()) or row[0] % 1:
            expected = f'has a line that is not "{columns}": line {number}'
            raise UserError(problem(key, path, expected))
        far = max(abs(place - 0.5) for place in row[1:3]) > 0.5 + _SLACK
        if far or max(row[3:5]) > 1 + _SLACK:
            expected = (
                f'has coordinates in line {number} that are not relative to the '
                "picture's size (0 to 1)"
            )
            raise UserError(problem(key, path, expected))
        found.append((number, tuple(row)))
    return found


def yolo_corners(boxes: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Return corners in pixels.

    Args:
        boxes: ``(N, 4)``, middle and size relative to the picture's.
        width: The picture's, in pixels.
        height: Likewise.
    """
    return FORMS[CXCYWH](boxes * (width, height, width, height))
