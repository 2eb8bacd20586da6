"""Weighted Boxes Fusion, each class among the teachers that know it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import FUSED, ByTeacher, LabelContext, LabelTransform
from mmcompose.labeling.compute.mask_vote import vote_masks
from mmcompose.labeling.compute.per_class import check_fraction
from mmcompose.labeling.compute.vote_weights import Electorates, StackedDetections, WeightFactors
from mmcompose.labeling.compute.weighted_boxes_kernel import CONF_TYPES, Fused, fuse_boxes
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import UserError, problem


@LABEL_TRANSFORMS.register_module()
class WeightedBoxesFusion(LabelTransform):
    """Average overlapping boxes of one class, weighted by score.

    Solovyev, Wang, Gabruseva 2021. The package ensemble-boxes divides a fused score by the
    weights of all models; here a class is fused among its owners alone, so that a class which
    one of three teachers knows keeps its scores. Boxes of a class with a single owner are left as
    they are. The box of a teacher that does not own its class (see :class:`ResolveHierarchy`)
    supports that of owners which it overlaps most, and never lowers its score.

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
        owners: False asks every teacher for every class, exactly as ensemble-boxes does.
            Defaults to True.

    Raises:
        UserError: If an argument is out of range.
    """

    def __init__(
        self,
        iou_thr: float = 0.55,
        skip_box_thr: float = 0.0,
        conf_type: str = 'avg',
        allows_overflow: bool = False,
        weights: WeightFactors | None = None,
        owners: bool = True,
    ) -> None:
        self.iou_thr = float(check_fraction('iou_thr', iou_thr))
        self.skip_box_thr = float(check_fraction('skip_box_thr', skip_box_thr))
        if conf_type not in CONF_TYPES:
            known = ', '.join(CONF_TYPES)
            raise UserError(problem('conf_type', conf_type, f'is not one of {known}', CONF_TYPES))
        self.conf_type = conf_type
        self.allows_overflow = allows_overflow
        self.owners = owners
        self._electorates = Electorates(weights, owners)

    def check(self, class_space: ClassSpace) -> None:
        """See :meth:`LabelTransform.check`."""
        self._electorates.check(class_space)

    def fuse(self, ballots: StackedDetections, context: LabelContext) -> Fused:
        """Return what :func:`fuse_boxes` does of one image: arrays, scores not cut at 1."""
        electorate = self._electorates.of(context)
        return fuse_boxes(
            ballots.boxes,
            ballots.scores,
            ballots.labels,
            ballots.teachers,
            electorate.weights,
            electorate.owners,
            electorate.counts,
            electorate.totals,
            electorate.maxima,
            electorate.ranks,
            electorate.counts == (1 if self.owners else -1),
            self.iou_thr,
            self.skip_box_thr,
            CONF_TYPES.index(self.conf_type),
            self.allows_overflow,
            float(context.width),
            float(context.height),
        )

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        ballots = StackedDetections.from_detections(detections, context)
        boxes, scores, labels, votes, best, sizes, spread, members = self.fuse(ballots, context)
        fused = Detections(
            boxes.astype(np.float32),
            # Unequal weights can carry an average over 1.
            np.minimum(scores, 1).astype(np.float32),
            labels,
            votes,
            best.astype(np.float32),
            sizes,
            spread.astype(np.float32),
        )
        if ballots.masks is not None:
            weights = self._electorates.of(context).weights[ballots.teachers, ballots.labels]
            cast = ballots.scores * weights
            size = (context.width, context.height)
            masks = vote_masks(ballots.masks, cast, members, len(fused), *size)
            fused = replace(fused, masks=masks)
        return {FUSED: fused}
