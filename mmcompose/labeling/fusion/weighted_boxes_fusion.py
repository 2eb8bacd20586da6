"""Weighted Boxes Fusion, each class among the teachers that know it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import FUSED, ByTeacher, ImageContext, LabelTransform
from mmcompose.labeling.compute.mask_vote import vote_masks
from mmcompose.labeling.compute.vote_weights import (
    StackedDetections,
    VoteWeights,
    WeightFactors,
    stacked_masks,
    weight_factors,
)
from mmcompose.labeling.compute.weighted_boxes_kernel import (
    CONF_TYPES,
    FusionOptions,
    fuse_boxes,
)
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import Fraction

ConfType = Literal['avg', 'max', 'box_and_model_avg', 'absent_model_aware_avg']


@LABEL_TRANSFORMS.register_module()
class WeightedBoxesFusion(LabelTransform):
    """Average overlapping boxes of one class, weighted by score.

    Solovyev, Wang, Gabruseva 2021. The package ensemble-boxes divides a fused score by the
    weights of all models; here a class is fused among its owners alone, so that a class which
    one of three teachers knows keeps its scores. Boxes of a class with a single owner, or of
    which one owner alone predicted on the image, are left as they are. The box of a teacher that
    does not own its class (see :class:`ResolveHierarchy`) supports that of owners which it
    overlaps most, and never lowers its score.

    Where teachers give masks, those of the boxes that become one vote on each pixel, with the
    weight that their boxes have; see :func:`mmcompose.labeling.compute.mask_vote.vote_masks`.

    Args:
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.55.
        skip_box_thr: Boxes with a lower score take no part. Defaults to 0.
        conf_type: How scores are averaged: 'avg' (a missing vote is a score of zero), 'max',
            'box_and_model_avg' or 'absent_model_aware_avg', as in ensemble-boxes.
            Defaults to 'avg'.
        allows_overflow: Whether 'avg' may count more boxes than teachers. Defaults to False.
        weights: By teacher a factor on its weight, or a dict of factors by class name.
        owners: False counts every teacher for every class, exactly as ensemble-boxes does.
            Defaults to True.
    """

    revision = 3

    def __init__(
        self,
        iou_thr: Fraction = 0.55,
        skip_box_thr: Fraction = 0.0,
        conf_type: ConfType = 'avg',
        allows_overflow: bool = False,
        weights: WeightFactors | None = None,
        owners: bool = True,
    ) -> None:
        code = CONF_TYPES.index(conf_type)
        # A score of 0.7 is not lower than 0.7.
        lowest = float(np.float32(skip_box_thr))
        self._options = FusionOptions(float(iou_thr), lowest, code, allows_overflow)
        self._weight_factors: WeightFactors = weights or {}
        self._owners = owners

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        self._weigh(self._weight_factors)

    def _weigh(self, factors: WeightFactors) -> None:
        self._factors = weight_factors(self.class_space, factors)
        self._voters = self._voters_with(self.weights)

    def _voters_with(self, weights: NDArray[np.float64]) -> VoteWeights:
        return VoteWeights.of_teachers(self.class_space, weights, self._factors, self._owners)

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        return {FUSED: self._fused(detections, image, self._voters)}

    def _fused(self, detections: ByTeacher, image: ImageContext, voters: VoteWeights) -> Detections:
        stacked = StackedDetections.from_detections(detections, self.class_space)
        voters = voters.of_asked(detections, self.class_space)
        size = float(image.width), float(image.height)
        made = fuse_boxes(stacked, voters, self._options, *size)
        fused = Detections(
            made.boxes.astype(np.float32),
            # Unequal weights can carry an average over 1.
            np.minimum(made.scores, 1).astype(np.float32),
            made.labels,
            made.votes,
            made.best_scores.astype(np.float32),
            made.sizes,
            made.spreads.astype(np.float32),
        )
        masks = stacked_masks(detections, self.class_space)
        if masks is None:
            return fused
        cast = stacked.scores * voters.weights[stacked.teachers, stacked.labels]
        own = vote_masks(masks, cast, made.rows, len(fused), image.width, image.height)
        return replace(fused, masks=own)
