"""A finite number in somebody's file, whatever it is written as."""

from __future__ import annotations

import math


def finite_number(value: object) -> float | None:
    """Return a finite number, also one that is written as a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
