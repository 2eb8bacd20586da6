"""Pictures with their labels, as every format's writer takes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os.path import commonpath
from pathlib import Path, PurePosixPath

from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError, atomic_write, problem


@dataclass
class Labeled:
    """Labels of a pool.

    Args:
        images: The pictures.
        labels: The boxes of each.
        classes: Class names.
        teachers: Who voted, in the order of ``votes``.
        num_masks: How many masks the labels had that were gone through last.
    """

    images: Sequence[Image]
    labels: Sequence[Detections]
    classes: tuple[str, ...]
    teachers: tuple[str, ...] = ()
    num_masks: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[tuple[Image, Detections]]:
        self.num_masks = 0
        for row, image in enumerate(self.images):
            found = self.labels[row]
            if found.masks is not None:
                self.num_masks += sum(mask is not None for mask in found.masks)
            yield image, found

    def voters(self, found: Detections) -> list[list[str]] | list[None]:
        """Return for each box the teachers that found it; None where votes were not counted."""
        if found.votes is None or not self.teachers:
            return [None] * len(found)
        return [
            [name for name, voted in zip(self.teachers, row, strict=True) if voted]
            for row in found.votes.tolist()
        ]

    def check_names(self, unwritable: Mapping[str, re.Pattern[str]]) -> None:
        """Check that a format can hold the names of pictures, classes and teachers.

        Args:
            unwritable: What it cannot hold in the name of a 'picture', 'class' or 'teacher'.

        Raises:
            UserError: If not.
        """
        names: dict[str, Iterable[str]] = {
            'picture': (image.key for image in self.images),
            'class': self.classes,
            'teacher': self.teachers,
        }
        for kind, pattern in unwritable.items():
            if (name := next(filter(pattern.search, names[kind]), None)) is not None:
                expected = f'has a character that the format cannot hold; rename the {kind}'
                raise UserError(problem('to', name, expected))

    def check_files(self, to: str) -> None:
        """Check that every picture is a local file, for a format whose readers know no other.

        Raises:
            UserError: If not.
        """
        for image in self.images:
            if not is_local(image):
                expected = f'is no local file: readers of {to} know no other'
                raise UserError(problem('to', image.path, expected))

    @cached_property
    def root(self) -> str | None:
        """Where names in a folder begin; see :func:`shared_root`."""
        return shared_root([image.key for image in self.images])

    def names(self) -> list[str]:
        """Return each picture's name in a folder; see :func:`name_below`."""
        return [name_below(self.root, image.key) or image.key for image in self.images]

    def stems(self) -> list[str]:
        """Return each picture's name without its ending, for formats of a file a picture.

        Raises:
            UserError: If two pictures differ in nothing else, or a key leads out of the folder.
        """
        stems = [str(PurePosixPath(name).with_suffix('')) for name in self.names()]
        for image, stem in zip(self.images, stems, strict=True):
            if '..' in PurePosixPath(stem).parts or PurePosixPath(stem).is_absolute():
                expected = 'does not lie in the folder of its pool, where its label file would be'
                raise UserError(problem('to', image.key, expected))
        (stem, times), *_ = Counter(stems).most_common(1) or [('', 0)]
        if times > 1:
            expected = f'is the name of {times} pictures, and the format has one file for it'
            raise UserError(problem('to', stem, expected))
        return stems


def shared_root(keys: Iterable[str]) -> str | None:
    """Return the folder from which pictures that all are URLs are named; None of others.

    That is where these differ, without the colon of their scheme, which a local folder cannot hold.
    """
    keys = list(keys)
    if not keys or not all('://' in key for key in keys):
        return None
    return commonpath([_local_path(key).parent for key in keys])


def name_below(root: str | None, key: str) -> str | None:
    """Return what a picture is called in a folder that holds those below a root: else its key.

    Args:
        root: As :func:`shared_root` returns it.
        key: The picture's.

    Returns:
        The name; None if the picture does not lie below the root.
    """
    if root is None:
        return key
    path = _local_path(key)
    return str(path.relative_to(root)) if '://' in key and path.is_relative_to(root) else None


def _local_path(key: str) -> PurePosixPath:
    return PurePosixPath(key.replace('://', '/'))


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
