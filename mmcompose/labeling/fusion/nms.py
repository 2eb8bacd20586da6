"""Non-maximum suppression over all teachers' boxes."""

from __future__ import annotations

import numpy as np
from ensemble_boxes import nms

from mmcompose.labeling.fusion.overlap_fusion import Floats, OverlapFusion
from mmcompose.registry import LABEL_TRANSFORMS


@LABEL_TRANSFORMS.register_module()
class NMS(OverlapFusion):
    """Keep the box with the highest score, drop those of its class that overlap it.

    Args:
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.55.
        weights: By teacher a factor on its weight, or a dict of factors by class name.
    """

    def choose(self, boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
        labels = np.zeros(len(boxes), np.int64)
        chosen, chosen_scores, _ = nms([boxes], [scores], [labels], iou_thr=self.iou_thr)
        return chosen, chosen_scores
