"""Which images share a batch; a teacher's ``batch_size`` is the most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import Any

from mmcompose.structures import Image


def in_batches(images: Sequence[Image], size: int) -> Iterator[Sequence[Image]]:
    """Yield images in batches, in their order."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


def of_one_shape(shapes: Sequence[Any], size: int) -> list[list[int]]:
    """Group indices of inputs that have one shape: padding changes detections.

    Args:
        shapes: Each input's, comparable with each other.
        size: The largest batch.
    """
    made = []
    order = sorted(range(len(shapes)), key=lambda index: shapes[index])
    for _, group in groupby(order, key=lambda index: shapes[index]):
        while batch := list(islice(group, size)):
            made.append(batch)
    return made
