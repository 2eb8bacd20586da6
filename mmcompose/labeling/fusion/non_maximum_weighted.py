"""Non-Maximum Weighted over all teachers' boxes."""

from __future__ import annotations

import numpy as np
from ensemble_boxes import non_maximum_weighted

from mmcompose.labeling.fusion.overlap_fusion import Floats, OverlapFusion
from mmcompose.registry import LABEL_TRANSFORMS


@LABEL_TRANSFORMS.register_module()
class NonMaximumWeighted(OverlapFusion):
    """Average the boxes that overlap the best one, weighted by score and overlap; keep its score.

    Zhou et al. 2017, "CAD: Scale Invariant Framework for Real-Time Object Detection".

    Args:
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.55.
        weights: By teacher a factor on its weight, or a dict of factors by class name.
    """

    def choose(self, boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
        labels = np.zeros(len(boxes), np.int64)
        chosen, chosen_scores, _ = non_maximum_weighted(
            [boxes], [scores], [labels], iou_thr=self.iou_thr
        )
        # Single precision may round a corner past the border, or a score past 1.
        return chosen.clip(0, 1).astype(np.float64), chosen_scores.clip(0, 1).astype(np.float64)
