"""Pictures with their labels, as every format's writer takes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError, atomic_write, problem


@dataclass(frozen=True)
class Labeled:
    """Labels of a pool.

    Args:
        images: The pictures.
        labels: The boxes of each.
        classes: Class names.
        teachers: Who voted, in the order of ``votes``.
    """

    images: Sequence[Image]
    labels: Sequence[Detections]
    classes: tuple[str, ...]
    teachers: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[tuple[Image, Detections]]:
        for row, image in enumerate(self.images):
            yield image, self.labels[row]

    def voters(self, found: Detections) -> list[list[str]] | list[None]:
        """Return for each box the teachers that found it; None where votes were not counted."""
        if found.votes is None or not self.teachers:
            return [None] * len(found)
        return [
            [name for name, voted in zip(self.teachers, row, strict=True) if voted]
            for row in found.votes.tolist()
        ]

    def check_names(self, unwritable: re.Pattern[str]) -> None:
        """Check that a format can hold each picture's key.

        Args:
            unwritable: What it cannot hold.

        Raises:
            UserError: If not.
        """
        for image in self.images:
            if unwritable.search(image.key):
                expected = 'has a character that the format cannot hold; rename the picture'
                raise UserError(problem('to', image.key, expected))

    def stems(self) -> list[str]:
        """Return each picture's key without its ending, for formats of a file a picture.

        Raises:
            UserError: If two pictures differ in nothing else, or a key leads out of the folder.
        """
        stems = [str(PurePosixPath(image.key).with_suffix('')) for image in self.images]
        for image, stem in zip(self.images, stems, strict=True):
            if '..' in PurePosixPath(stem).parts or PurePosixPath(stem).is_absolute():
                expected = 'does not lie in the folder of its pool, where its label file would be'
                raise UserError(problem('to', image.key, expected))
        (stem, times), *_ = Counter(stems).most_common(1) or [('', 0)]
        if times > 1:
            expected = f'is the name of {times} pictures, and the format has one file for it'
            raise UserError(problem('to', stem, expected))
        return stems


def is_local(image: Image) -> bool:
    """Return whether a picture's file is on this machine, so that it can be linked."""
    return '://' not in image.path and Path(image.path).is_file()


def link_picture(image: Image, link: Path) -> None:
    """Link a picture whose file is local."""
    if link.exists() and link.samefile(image.path):
        # The picture itself may be meant, which a link would replace.
        return
    with atomic_write('out', link) as path:
        path.symlink_to(Path(image.path).absolute())
