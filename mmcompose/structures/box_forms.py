"""Boxes in another form than the one that they are read in: what gives them away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.float64]
# From rows as they stand in a file to corners, (N, 4).
ToCorners: TypeAlias = Callable[[Rows], Rows]

# No detector and no person draws boxes that reach over the border by a larger share of the
# picture's side.
_FAR = 0.05
# Of how many boxes at least, and of which share of them, that is evidence.
_LEAST, _SHARE = 2, 0.2
# By rounding: to whole pixels, or of decimals.
_PIXEL, _DECIMAL = 1.0, 1e-3


def from_corner_and_size(rows: Rows) -> Rows:
    """Turn x, y of the upper left corner, width, height into corners."""
    return np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)


def from_center_and_size(rows: Rows) -> Rows:
    """Turn x, y of the middle, width, height into corners."""
    half = rows[:, 2:4] / 2
    return np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)


def _corners(rows: Rows) -> Rows:
    return rows[:, :4]


XYWH, XYXY, CXCYWH = 'x, y, width, height', 'x1, y1, x2, y2', 'cx, cy, width, height'
FORMS: Mapping[str, ToCorners] = {
    XYWH: from_corner_and_size,
    XYXY: _corners,
    CXCYWH: from_center_and_size,
}


def other_form(
    rows: Any, sizes: Any, form: str, forms: Mapping[str, ToCorners] = FORMS
) -> str | None:
    """Return the form in which boxes stay within their pictures that leave them as they are read.

    Where some reach far over the border in one form, and all lie within in another, they are of
    the other: in the first they would look like that by rare chance alone.

    Args:
        rows: ``(N, 4)`` or more, as they stand in a file.
        sizes: ``(N, 2)`` width and height of each one's picture, in the same unit (1 where boxes
            are relative); not above 0 where it is not known.
        form: The key of ``forms`` that they are read in.
        forms: What there is beside it. Defaults to :data:`FORMS`.
    """
    rows = np.asarray(rows, np.float64)
    sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
    known = (sizes > 0).all(axis=1)
    if not known.any():
        return None
    rows, sizes = rows[known], sizes[known]
    far = (_over(forms[form](rows), sizes) > np.maximum(_FAR * sizes, _slack(sizes))).any(axis=1)
    if far.sum() < max(_LEAST, _SHARE * len(far)):
        return None
    return next((name for name in forms if name != form and _fits(forms[name](rows), sizes)), None)


def _fits(corners: Rows, sizes: Rows) -> bool:
    has_area = (corners[:, 2:] > corners[:, :2]).all()
    return bool(has_area and (_over(corners, sizes) <= _slack(sizes)).all())


def _over(corners: Rows, sizes: Rows) -> Rows:
    """Return ``(N, 2)``: how far each box reaches over its picture's border, in x and y."""
    return np.maximum(-corners[:, :2], corners[:, 2:] - sizes)


def _slack(sizes: Rows) -> Rows:
    return np.where(sizes > 1, _PIXEL, _DECIMAL)
