"""A teacher that lives outside mmcompose: it finds bright spots, with no weights at all."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmcompose.registry import TEACHERS
from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher
from mmcompose.utils import UserError, problem


@TEACHERS.register_module()
class BrightSpotTeacher(Teacher):
    """Boxes around connected bright pixels; the score is how much of the box they fill.

    Args:
        threshold: Grey level, 0 to 255, from which on a pixel is bright.
        min_side: Smaller spots are left out, in pixels.
    """

    def __init__(self, threshold: int = 200, min_side: int = 4) -> None:
        if not 0 <= threshold <= 255:
            raise UserError(problem('threshold', threshold, 'is not in [0, 255]'))
        self.classes = ('spot',)
        self._threshold = threshold
        self._min_side = min_side

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        return [self._spots(image) for image in images]

    def _spots(self, image: Image) -> Detections:
        bright = cv2.cvtColor(image.pixels, cv2.COLOR_BGR2GRAY) >= self._threshold
        _, _, stats, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8))
        x, y, width, height, area = stats[1:].T  # the first is the background
        boxes = np.stack([x, y, x + width, y + height], axis=1)
        found = Detections.from_arrays(boxes, area / (width * height), np.zeros(len(boxes)))
        return found[np.minimum(width, height) >= self._min_side]
