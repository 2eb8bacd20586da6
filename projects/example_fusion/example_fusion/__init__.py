"""A fusion that lives outside mmcompose: the median of boxes, which one bad box cannot move."""

import numpy as np

from mmcompose.labeling import OverlapFusion
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import iou


@LABEL_TRANSFORMS.register_module()
class MedianFusion(OverlapFusion):
    """Take the median of the boxes that overlap the best one, with its score."""

    def choose(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        near = iou(boxes, boxes) >= self.iou_thr
        left, best, medians = np.ones(len(boxes), bool), [], []
        for row in range(len(boxes)):  # by falling score
            if left[row]:
                best.append(row)
                medians.append(np.median(boxes[left & near[row]], axis=0))
                left &= ~near[row]
        return np.array(medians), scores[best]
