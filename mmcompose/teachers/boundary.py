"""The one place where what a teacher predicts is checked, whoever wrote the teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, TypeAlias

import numpy as np

from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError, fault, warn

# How far over its bounds a score may lie: by a rounding error, or since Mask Scoring R-CNN
# multiplies its scores with an overlap that it regresses. Logits lie farther off.
SCORE_SLACK = 0.05
# Boxes of 0 to 1 reach a little over 1 where a head regressed them.
RELATIVE_LIMIT = 1.05
# From how many boxes on a share of them is evidence of what all of them are.
ENOUGH = 20
NEAR_ALL, A_PART = 0.9, 0.25

Predict: TypeAlias = Callable[..., list[Detections]]


@dataclass
class Evidence:
    """What is wrong with a teacher's boxes, counted over all pictures that it has seen.

    It is gathered before anything is cut away: a box outside its picture leaves no trace after.

    Args:
        boxes: How many have an area.
        outside: Of those, whose middle is outside the picture.
        relative: Which lie within the first pixel, at a fraction of it.
        tiny: Which are narrower or lower than a pixel.
        inverted: How many boxes beside those have a negative width or height.
    """

    boxes: int = 0
    outside: int = 0
    relative: int = 0
    tiny: int = 0
    inverted: int = 0
    _warned: set[str] = field(default_factory=set)

    def add(self, found: Detections, image: Image) -> None:
        """Count the boxes of one picture."""
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        self.inverted += int((sides < 0).any(axis=1).sum())
        has_area = (sides > 0).all(axis=1)
        boxes = found.boxes[has_area]
        self.tiny += int((sides[has_area] < 1).any(axis=1).sum())
        size = np.array([image.width, image.height], np.float32)
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        self.boxes += len(boxes)
        self.outside += int(((middles < 0) | (middles > size)).any(axis=1).sum())
        # A spot in the corner of a pixel's size has whole coordinates.
        is_relative = (boxes.max(axis=1, initial=0) <= RELATIVE_LIMIT) & (boxes % 1).any(axis=1)
        if min(image.width, image.height) > 2:
            self.relative += int(is_relative.sum())

    def check(self) -> None:
        """Look whether the boxes can be what they are taken for.

        Raises:
            UserError: If near all of them are relative to the picture, outside it or inverted.
        """
        if self.boxes and self.relative == self.boxes:
            raise UserError(
                fault(
                    'boxes',
                    f'{_all(self.boxes)} within the first pixel of the picture: they are '
                    'relative (0 to 1), where pixels are expected',
                )
            )
        # One box may go astray by itself.
        few = min(self.boxes, ENOUGH)
        if (few > 1 and self.outside == self.boxes) or self._share(self.outside) >= NEAR_ALL:
            raise UserError(
                fault(
                    'boxes',
                    f'{self.outside} of {self.boxes} lie outside their picture: are they in '
                    'pixels of another size, or x, y, width, height where corners are expected?',
                )
            )
        every = self.boxes + self.inverted
        if every >= ENOUGH and self.inverted >= NEAR_ALL * every:
            raise UserError(
                fault(
                    'boxes',
                    f'{self.inverted} of {every} have a negative width or height: another '
                    'decoder is needed, or x, y, width, height are taken for corners',
                )
            )
        if self._share(self.tiny) >= NEAR_ALL:
            raise UserError(
                fault(
                    'boxes',
                    f'{self.tiny} of {self.boxes} are less than a pixel wide or high: are they '
                    'relative (0 to 1), or x, y, width, height of a smaller picture?',
                )
            )
        self._warn(self.outside, A_PART, 'boxes so far lie outside their picture')
        self._warn(self.tiny, A_PART, 'boxes so far are less than a pixel wide or high')

    def _warn(self, count: int, least: float, what: str) -> None:
        """Warn once of a share of the boxes."""
        if self._share(count) >= least and what not in self._warned:
            self._warned.add(what)
            warn(f'{count} of {self.boxes} {what}')

    def _share(self, count: int) -> float:
        return count / self.boxes if self.boxes >= ENOUGH else 0.0


def checked_at_the_boundary(predict: Predict) -> Predict:
    """Return a teacher's ``predict`` with its results checked and cut at the picture's border.

    So is ``predict_prepared``, which takes more beside the images.
    """

    @wraps(predict)
    def checked_predict(self: Any, images: Sequence[Image], *more: Any) -> list[Detections]:
        found = predict(self, images, *more)
        if not isinstance(found, list) or not all(isinstance(one, Detections) for one in found):
            raise UserError(
                fault('predict', f'returns {type(found).__name__}, not a list of Detections')
            )
        if len(found) != len(images):
            raise UserError(
                fault('predict', f'returns {len(found)} results for {len(images)} images')
            )
        evidence: Evidence = vars(self).setdefault('_evidence', Evidence())
        for one, image in zip(found, images, strict=True):
            check_detections(one, image, self.classes, self.regresses_boxes)
            evidence.add(one, image)
        evidence.check()
        return [mended(one, image) for one, image in zip(found, images, strict=True)]

    return checked_predict


def check_detections(
    found: Detections, image: Image, classes: Sequence[str], regresses_boxes: bool = False
) -> None:
    """Check what a teacher predicts for one picture.

    Args:
        found: Boxes in pixels of the original image.
        image: The image.
        classes: The teacher's class names.
        regresses_boxes: See :attr:`mmcompose.teachers.Teacher.regresses_boxes`.

    Raises:
        UserError: If a number is NaN or infinite, a width or height negative, a score outside
            [0, 1], or a label names no class.
    """
    for word, has in (('NaN', np.isnan), ('infinite numbers', np.isinf)):
        if has(found.boxes).any() or has(found.scores).any():
            raise UserError(fault('', f'{image.path}: the model predicts {word}'))
    inverted = (found.boxes[:, 2:] < found.boxes[:, :2]).any(axis=1)
    if inverted.any() and not regresses_boxes:
        box = ', '.join(f'{side:g}' for side in found.boxes[inverted][0].tolist())
        raise UserError(
            fault(
                '',
                f'{image.path}: the model predicts a box of negative width or height, '
                f'x1, y1, x2, y2 = {box}',
            )
        )
    if not len(found):
        return
    low, high = found.scores.min(), found.scores.max()
    if not -SCORE_SLACK <= low <= high <= 1 + SCORE_SLACK:
        raise UserError(
            fault(
                '',
                f'{image.path}: the model predicts scores in [{low:g}, {high:g}], not in [0, 1]: '
                'are they logits, percentages or ids?',
            )
        )
    if not 0 <= found.labels.min() <= found.labels.max() < len(classes):
        wrong = found.labels[(found.labels < 0) | (found.labels >= len(classes))][0]
        raise UserError(
            fault('classes', f'{len(classes)} names, but the model predicts class number {wrong}')
        )


def mended(found: Detections, image: Image) -> Detections:
    """Cut boxes at the picture's border, scores at 0 and 1, and drop boxes without an area."""
    return replace(found, scores=found.scores.clip(0, 1)).clipped(image.width, image.height)


def _all(count: int) -> str:
    return 'the only one lies' if count == 1 else f'all {count} lie'
