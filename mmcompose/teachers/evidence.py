"""What is wrong with a teacher's boxes over all pictures that it has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import is_placeholder
from mmcompose.structures import Detections, Image
from mmcompose.utils import Problem, doubt, fault, warn

# Boxes of 0 to 1 reach a little over 1 where a head regressed them.
RELATIVE_LIMIT = 1.05
# From which score on a model is sure of a box; 91-id detectors give unused ids less.
SURE = 0.5
# Of how many pixels a side is, at least, of which a box of less than one is evidence.
_FEW = 16
# From how many boxes on a share of them is evidence of what all of them are.
ENOUGH = 20
NEAR_ALL, A_PART = 0.9, 0.25
# From how many boxes on it is strange that none reaches over the middle of its picture.
MANY, A_QUARTER = 100, 0.5


@dataclass
class Evidence:
    """What is wrong with a teacher's boxes, counted over all pictures that it has seen.

    It is gathered before anything is cut away: a box outside its picture leaves no trace after.

    Args:
        boxes: How many have an area.
        outside: Of those, whose middle is outside the picture.
        relative: Which lie within the first pixel, at a fraction of it.
        tiny: Which are narrower or lower than a pixel, in pictures that are not small themselves.
        flat: How many boxes beside those have a width or height of 0, and a score; likewise.
        inverted: How many boxes beside those have a negative width or height.
        pictures: How many pictures have a box.
        reach: Of all boxes the farthest right and lower edge, as a share of width and height.
    """

    boxes: int = 0
    outside: int = 0
    relative: int = 0
    tiny: int = 0
    flat: int = 0
    inverted: int = 0
    pictures: int = 0
    reach: tuple[float, float] = (0.0, 0.0)
    _told: set[str] = field(default_factory=set)

    def add(
        self,
        found: Sequence[Detections],
        images: Sequence[Image],
        classes: Sequence[str],
        regresses_boxes: bool = False,
    ) -> None:
        """Count the boxes of pictures.

        Args:
            found: Of each picture, boxes in pixels of the original image.
            images: The images, at least one.
            classes: The teacher's class names.
            regresses_boxes: See :attr:`mmcompose.teachers.Teacher.regresses_boxes`.

        Raises:
            UserError: If a width or height is negative that no head regressed.
        """
        boxes = np.concatenate([one.boxes for one in found])
        scores = np.concatenate([one.scores for one in found])
        # Which picture each box is of.
        picture = np.repeat(np.arange(len(found)), [len(one) for one in found])
        sides = boxes[:, 2:] - boxes[:, :2]
        inverted = (sides < 0).any(axis=1)
        self.inverted += int(inverted.sum())
        if inverted.any() and not regresses_boxes:
            box = ', '.join(f'{side:g}' for side in boxes[inverted][0].tolist())
            expected = (
                f'{images[picture[inverted][0]].path}: the model predicts a box of negative width '
                f'or height, x1, y1, x2, y2 = {box}'
            )
            self._doubt('inverted-boxes', fault('', expected))
        is_sure = scores >= SURE
        labels = np.concatenate([one.labels for one in found])
        self._look_for_names(labels[is_sure], picture[is_sure], images, classes)
        size = np.array([[image.width, image.height] for image in images], np.float32)[picture]
        is_large = size.min(axis=1) >= _FEW
        has_area = (sides > 0).all(axis=1)
        # Models of a fixed number of boxes fill up with empty ones that score nothing.
        is_flat = (sides >= 0).all(axis=1) & ~has_area & (scores > 0)
        self.flat += int((is_flat & is_large).sum())
        self.tiny += int((has_area & (sides < 1).any(axis=1) & is_large).sum())
        boxes, picture, size = boxes[has_area], picture[has_area], size[has_area]
        self.boxes += len(boxes)
        if not len(boxes):
            return
        self.pictures += len(np.unique(picture))
        edges = (boxes[:, 2:] / np.maximum(size, 1)).max(axis=0)
        self.reach = (max(self.reach[0], edges[0]), max(self.reach[1], edges[1]))
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        self.outside += int(((middles < 0) | (middles > size)).any(axis=1).sum())
        self.relative += int((_are_relative(boxes) & (size.min(axis=1) > 2)).sum())

    def add_of_input(self, found: Sequence[Detections]) -> None:
        """Count which boxes are relative as the model predicts them, in pixels of its input.

        In a picture that is larger than the input they are pixels.

        Args:
            found: Of each picture of a batch.
        """
        boxes = np.concatenate([one.boxes for one in found])
        boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
        self.boxes += len(boxes)
        self.relative += int(_are_relative(boxes).sum())

    def _look_for_names(
        self,
        labels: NDArray[np.int64],
        picture: NDArray[np.int64],
        images: Sequence[Image],
        classes: Sequence[str],
    ) -> None:
        """Warn once of a sure box whose class has no name: no model finds what is not there."""
        if 'nameless' in self._told:
            return
        for label in np.unique(labels).tolist():
            if is_placeholder(classes[label]):
                self._told.add('nameless')
                path = images[picture[labels == label][0]].path
                warn(
                    f'{path}: a sure box is of class number {label}, {classes[label]!r}, and '
                    'such are dropped: are classes those of this model, in its order?'
                )
                return

    def check(self) -> None:
        """Look whether the boxes can be what they are taken for.

        Raises:
            UserError: If near all of them are relative to the picture, outside it or inverted.
        """
        if self.boxes and self.relative == self.boxes:
            self._doubt(
                'relative-boxes',
                fault(
                    'boxes',
                    f'{_all(self.boxes)} within the first pixel of the picture: they are '
                    'relative (0 to 1), where pixels are expected',
                ),
            )
        # One box may go astray by itself.
        few = min(self.boxes, ENOUGH)
        if (few > 1 and self.outside == self.boxes) or self._share(self.outside) >= NEAR_ALL:
            self._doubt(
                'outside-boxes',
                fault(
                    'boxes',
                    f'{self.outside} of {self.boxes} lie outside their picture: are they in '
                    'pixels of another size, or x, y, width, height where corners are expected?',
                ),
            )
        every = self.boxes + self.inverted
        if every >= ENOUGH and self.inverted >= NEAR_ALL * every:
            self._doubt(
                'inverted-boxes',
                fault(
                    'boxes',
                    f'{self.inverted} of {every} have a negative width or height: another '
                    'decoder is needed, or x, y, width, height are taken for corners',
                ),
            )
        small, every = self.tiny + self.flat, self.boxes + self.flat
        if every >= ENOUGH and small >= NEAR_ALL * every:
            self._doubt(
                'tiny-boxes',
                fault(
                    'boxes',
                    f'{small} of {every} are less than a pixel wide or high: are they '
                    'relative (0 to 1), or x, y, width, height of a smaller picture?',
                ),
            )
        self._warn(self.outside, self.boxes, 'boxes so far lie outside their picture')
        self._warn(small, every, 'boxes so far are less than a pixel wide or high')
        if self.boxes >= MANY and self.pictures >= ENOUGH and max(self.reach) <= A_QUARTER:
            what = 'boxes so far lie in the upper left quarter of their picture: are they in pixels'
            self._warn(self.boxes, self.boxes, f'{what} of a smaller copy?')

    def _doubt(self, check: str, found: Problem) -> None:
        """Doubt the boxes; once, where that is allowed."""
        if check not in self._told:
            doubt(check, found)
            self._told.add(check)

    def _warn(self, count: int, every: int, what: str) -> None:
        """Warn once of a part of the boxes."""
        if every >= ENOUGH and count >= A_PART * every and what not in self._told:
            self._told.add(what)
            warn(f'{count} of {every} {what}')

    def _share(self, count: int) -> float:
        return count / self.boxes if self.boxes >= ENOUGH else 0.0


def _are_relative(boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    # A spot in the corner of a pixel's size has whole coordinates.
    return np.asarray((boxes.max(axis=1) <= RELATIVE_LIMIT) & (boxes % 1).any(axis=1))


def _all(count: int) -> str:
    return 'the only one lies' if count == 1 else f'all {count} lie'
