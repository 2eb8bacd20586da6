"""What the label pipeline is shown of each image of a pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mmcompose.labeling import LabelInput


@dataclass(frozen=True)
class LabelInputs:
    """Every teacher's detections in the images of a pool, each made when it is looked at.

    Args:
        make: Returns what is shown of the image at a row.
        count: How many images there are.
    """

    make: Callable[[int], LabelInput]
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> LabelInput:
        """Return what is shown of the image at ``row``, in the student's classes."""
        return self.make(row)

    def __iter__(self) -> Iterator[LabelInput]:
        return map(self.make, range(self.count))
