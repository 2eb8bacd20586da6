"""Which images share a batch; a teacher's ``batch_size`` is the most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmcompose.structures import Image


def in_batches(images: Sequence[Image], size: int) -> Iterator[Sequence[Image]]:
    """Yield images in batches, in their order."""
    for start in range(0, len(images), size):
        yield images[start : start + size]
