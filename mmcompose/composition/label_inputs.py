"""What the label pipeline is shown of each image of a pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mmcompose.labeling import ImageContext, LabelInput
from mmcompose.store import ImageTable
from mmcompose.structures import Detections, Image


@dataclass(frozen=True)
class LabelInputs:
    """Every teacher's detections in the images of a pool, each made when it is looked at.

    Args:
        make: Returns what is shown of the image at a row.
        count: How many images there are.
        unreadable: Why images cannot be read, by row: no teacher has seen them.
    """

    make: Callable[[int], LabelInput]
    count: int
    unreadable: Mapping[int, str]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> LabelInput:
        """Return what is shown of the image at ``row``, in the student's classes."""
        return self.make(row)

    @property
    def readable(self) -> list[int]:
        """The rows of images that teachers have seen."""
        return [row for row in range(self.count) if row not in self.unreadable]

    def __iter__(self) -> Iterator[LabelInput]:
        return map(self.make, range(self.count))


def context_of(
    images: Sequence[Image],
    row: int,
    cells: Sequence[Detections] | None = None,
    unasked: tuple[int, ...] = (),
) -> ImageContext:
    """Return what the label pipeline may know of an image beside its boxes.

    Args:
        images: The pool.
        row: Of the image.
        cells: What the places of each image look like. Defaults to unknown.
        unasked: The numbers of the teachers that did not predict on it. Defaults to none.
    """
    if isinstance(images, ImageTable):
        key, _, width, height = images.plain_row(row)
    else:
        key, width, height = images[row].key, images[row].width, images[row].height
    look = None if cells is None else cells[row]
    return ImageContext(key, width, height, cells=look, unasked=unasked)
