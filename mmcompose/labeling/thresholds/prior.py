"""A threshold that keeps as many boxes of a class as there should be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.compute.class_prior import BoxesPerImage, check_prior, expected_boxes
from mmcompose.labeling.compute.scored_boxes import ScoredBoxes
from mmcompose.labeling.thresholds.base import Threshold
from mmcompose.registry import THRESHOLDS


@THRESHOLDS.register_module('prior')
class PriorThreshold(Threshold):
    """Keep as many boxes of a class as there should be in the pool.

    Data Distillation, Radosavovic et al. 2018; LabelMatch, Chen et al. 2022.

    Args:
        boxes_per_image: By class name, the mean number of boxes an image; or COCO jsons to count
            it in, e.g. those that the teachers were trained on. A class that neither names keeps
            only boxes from ``highest`` on.
    """

    needs_boxes = False

    def __init__(self, boxes_per_image: BoxesPerImage) -> None:
        self.boxes_per_image = check_prior(boxes_per_image)

    def bind(self, class_space: ClassSpace) -> None:
        """See :meth:`Threshold.bind`."""
        super().bind(class_space)
        self._expected = expected_boxes(self.boxes_per_image, class_space)

    def threshold(self, boxes: ScoredBoxes, label: int | None) -> float:
        """See :meth:`Threshold.threshold`."""
        expected = boxes.images * self._expected
        count = expected.sum() if label is None else expected[label]
        return count_threshold(boxes.scores, float(count))


def count_threshold(scores: NDArray[np.floating], count: float) -> float:
    """Return the highest threshold that keeps ``count`` of the scores.

    0 if there are fewer; 1, the highest that there is, where none is to be kept.
    """
    kept = round(count)
    if kept > len(scores):
        return 0.0
    return float(-np.sort(-scores)[kept - 1]) if kept > 0 else 1.0
