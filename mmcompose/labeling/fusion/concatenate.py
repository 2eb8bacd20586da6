"""All teachers' boxes side by side: the baseline without fusion."""

from __future__ import annotations

import numpy as np

from mmcompose.labeling.base import FUSED, ByTeacher, ImageContext, LabelTransform
from mmcompose.labeling.compute.vote_weights import StackedDetections, stacked_masks
from mmcompose.labeling.fusion.overlap_fusion import with_origin
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections


@LABEL_TRANSFORMS.register_module()
class Concatenate(LabelTransform):
    """Keep every box of every teacher, with the vote of the one that found it.

    But for those that only support another's (see :class:`ResolveHierarchy`): they are the same.
    """

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        space = self.class_space
        stacked = StackedDetections.from_detections(detections, space)
        masks = stacked_masks(detections, space)
        # By name, or the order of teachers would decide where two boxes are the same.
        ranks = np.argsort(np.argsort(space.teachers))
        rows = np.argsort(ranks[stacked.teachers], kind='stable')
        rows = rows[space.owners[stacked.labels[rows], stacked.teachers[rows]]]
        joined = Detections.from_arrays(
            stacked.boxes[rows],
            stacked.scores[rows],
            stacked.labels[rows],
            None if masks is None else masks[rows],
        )
        votes = stacked.teachers[rows, None] == np.arange(len(space.teachers))
        ones, zeros = np.ones(len(joined)), np.zeros(len(joined))
        joined = with_origin(joined, votes, joined.scores, ones, zeros)
        return {FUSED: joined.clipped(image.width, image.height).sorted()}
