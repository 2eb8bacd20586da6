"""The protocol of a teacher: class names, and detections of images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError

# How far over its bounds a score may lie: by a rounding error, or since Mask Scoring R-CNN
# multiplies its scores with an overlap that it regresses. Logits lie farther off.
SLACK = 0.05


class Teacher(ABC):
    """Anything that turns images into detections.

    A kind of teacher is built from ``dict(type=..., **arguments)``. Its constructor reads class
    names and checks what it can, but loads no weights: that waits for the first ``predict``.
    A mistake raises :class:`mmcompose.utils.UserError` whose line begins with the argument's
    name; where the teacher stands in the config is put before it.

    Attributes:
        classes: Class names, in the order of the labels that ``predict`` returns.
    """

    classes: tuple[str, ...]

    @abstractmethod
    def predict(self, images: Sequence[Image]) -> list[Detections]:
        """Detect objects.

        Args:
            images: Of any size; those of one size may share a batch.

        Returns:
            For each image its detections: boxes in pixels of the original image, labels as
            indices into ``classes``, masks over the original image where it gives any.
        """

    @property
    def may_give_masks(self) -> bool:
        """False where boxes are all that it can give; what trains a mask student asks."""
        return False

    @property
    def identity(self) -> Any:
        """What, beside the config dict and the files it names, decides what is predicted.

        Plain values; they become part of the address of the stored predictions.
        """
        return None

    @property
    def num_parameters(self) -> int | None:
        """How many weights the model has, or None where that has no meaning."""
        return None


def checked(
    found: Detections, image: Image, classes: Sequence[str], from_head: bool = False
) -> Detections:
    """Check what a model said of an image, and cut its boxes at the border.

    Heads of some architectures let boxes run a little over the border, or a score over 1; that is
    mended. What can be no detection is an error.

    Args:
        found: Boxes in pixels of the original image.
        image: The image.
        classes: The teacher's class names.
        from_head: Whether boxes are what a head regressed, whose width may come out negative:
            such are dropped, as MMDet does. Defaults to False: they are an error, for somebody
            means other numbers than corners.

    Raises:
        UserError: If a number is NaN or infinite, a width or height negative, a score outside
            [0, 1], or a label names no class.
    """
    for word, has in (('NaN', np.isnan), ('infinite numbers', np.isinf)):
        if has(found.boxes).any() or has(found.scores).any():
            raise UserError(f'{image.path}: the model says {word}')
    inverted = (found.boxes[:, 2:] < found.boxes[:, :2]).any(axis=1)
    if inverted.any() and not from_head:
        box = ', '.join(f'{side:g}' for side in found.boxes[inverted][0].tolist())
        raise UserError(
            f'{image.path}: the model says a box of negative width or height, x1, y1, x2, y2 = '
            f'{box}'
        )
    if len(found) and not -SLACK <= found.scores.min() <= found.scores.max() <= 1 + SLACK:
        low, high = found.scores.min(), found.scores.max()
        raise UserError(f'{image.path}: the model says scores in [{low}, {high}], not in [0, 1]')
    if len(found) and not 0 <= found.labels.min() <= found.labels.max() < len(classes):
        raise UserError(
            f'classes: {len(classes)} names, but the model says class number {found.labels.max()}'
        )
    return replace(found, scores=found.scores.clip(0, 1)).clipped(image.width, image.height)
