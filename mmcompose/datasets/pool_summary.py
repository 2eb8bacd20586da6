"""A pool at a glance: how many pictures, how large, and what was passed over."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from mmcompose.datasets.image_folders import PassedOver
from mmcompose.structures import image_size
from mmcompose.utils import Mistakes

# Reading the headers of more takes minutes, and changes no figure that a person sees.
SAMPLE = 1000


@dataclass(frozen=True)
class PoolSummary:
    """What is in a pool.

    Args:
        num_images: How many pictures it has.
        sizes: (width, height) of some of them, the smallest area first.
        passed_over: Files that are no pictures by their names, by suffix.
        unreadable: A line for each of those looked at whose header cannot be read.
    """

    num_images: int
    sizes: list[tuple[int, int]]
    passed_over: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    @classmethod
    def join(cls, parts: Sequence[PoolSummary]) -> PoolSummary:
        """Return what is in several pools together."""
        sizes = sorted(chain.from_iterable(each.sizes for each in parts), key=math.prod)
        passed_over = sum((each.passed_over for each in parts), Counter[str]())
        unreadable = [line for each in parts for line in each.unreadable]
        return cls(sum(each.num_images for each in parts), sizes, passed_over, unreadable)

    def describe(self) -> list[str]:
        """Return lines for a person."""
        if not self.sizes:
            return ['no images']
        smallest, middle, largest = (
            f'{width}x{height}'
            for width, height in (self.sizes[n] for n in (0, len(self.sizes) // 2, -1))
        )
        of = '' if len(self.sizes) == self.num_images else f', of {len(self.sizes)} looked at'
        many = 'images' if self.num_images > 1 else 'image'
        sizes = f'{smallest} to {largest} pixels, half up to {middle}'
        if smallest == largest:
            sizes = f'{smallest} pixels'
        lines = [f'{self.num_images} {many}, {sizes}{of}']
        if self.passed_over:
            counts = ', '.join(f'{n} {suffix}' for suffix, n in self.passed_over.most_common(5))
            lines.append(f'passed over, no pictures by their names: {counts}')
        if self.unreadable:
            lines.append(f'{len(self.unreadable)} unreadable, the first: {self.unreadable[0]}')
        return lines


def summarize_pool(
    listed: Iterable[tuple[str, int | None, int | None]], passed_over: PassedOver | None = None
) -> PoolSummary:
    """Summarize a pool without decoding a picture.

    Args:
        listed: Path, width and height of each picture; None where its header has to be read.
        passed_over: What the listing leaves out. Defaults to nothing.
    """
    images = list(listed)
    rows = np.unique(np.linspace(0, max(len(images) - 1, 0), min(len(images), SAMPLE)).round())
    sizes: list[tuple[int, int]] = []
    unreadable = Mistakes()
    for row in rows.astype(int).tolist():
        path, width, height = images[row]
        with unreadable:
            sizes.append((width, height) if width and height else image_size(path))
    sizes.sort(key=lambda size: size[0] * size[1])
    left_out = Counter() if passed_over is None else passed_over.suffixes
    return PoolSummary(len(images), sizes, left_out, [str(each) for each in unreadable.problems])
