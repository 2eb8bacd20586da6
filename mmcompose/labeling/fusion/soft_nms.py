"""Soft-NMS over all teachers' boxes."""

from __future__ import annotations

from typing import Literal

from ensemble_boxes.ensemble_boxes_nms import cpu_soft_nms_float

from mmcompose.labeling.compute.vote_weights import WeightFactors
from mmcompose.labeling.fusion.overlap_fusion import Floats, OverlapFusion
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.utils import Fraction, Positive

_CODES = {'linear': 1, 'gaussian': 2}


@LABEL_TRANSFORMS.register_module()
class SoftNMS(OverlapFusion):
    """Lower the score of boxes that overlap a better one of their class.

    Bodla et al. 2017. The package's `soft_nms` lowers a copy of the scores and returns the
    original ones; here the lowered scores are what comes out.

    Args:
        iou_thr: Overlap above which 'linear' lowers a score. Defaults to 0.55.
        method: 'linear' or 'gaussian'. Defaults to 'gaussian'.
        sigma: Width of the Gaussian. Defaults to 0.5.
        min_score: Boxes whose score falls to this or below are dropped. Defaults to 0.001.
        weights: By teacher a factor on its weight, or a dict of factors by class name.
    """

    def __init__(
        self,
        iou_thr: Fraction = 0.55,
        method: Literal['linear', 'gaussian'] = 'gaussian',
        sigma: Positive = 0.5,
        min_score: Fraction = 0.001,
        weights: WeightFactors | None = None,
    ) -> None:
        super().__init__(iou_thr, weights)
        self.method = method
        self.sigma = sigma
        self.min_score = min_score

    def choose(self, boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
        # Sorts and lowers `scores` in place, and returns the rows left in that same order.
        kept = cpu_soft_nms_float(
            boxes, scores, self.iou_thr, self.sigma, self.min_score, _CODES[self.method]
        )
        return boxes[kept], scores[scores > self.min_score]
