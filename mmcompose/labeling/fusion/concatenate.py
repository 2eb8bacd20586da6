"""All teachers' boxes side by side: the baseline without fusion."""

from __future__ import annotations

import numpy as np

from mmcompose.labeling.base import FUSED, ByTeacher, LabelContext, LabelTransform
from mmcompose.labeling.compute.vote_weights import StackedDetections
from mmcompose.labeling.fusion.overlap_fusion import with_origin
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections


@LABEL_TRANSFORMS.register_module()
class Concatenate(LabelTransform):
    """Keep every box of every teacher, with the vote of the one that found it.

    But for those that only support another's (see :class:`ResolveHierarchy`): they are the same.
    """

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        space = context.class_space
        # By name, or the order of teachers would decide where two say the same.
        ballots = StackedDetections.from_detections(detections, context).of_teachers(
            np.argsort(space.teachers)
        )
        joined = Detections.from_arrays(
            ballots.boxes, ballots.scores, ballots.labels, ballots.masks
        )
        votes = ballots.teachers[:, None] == np.arange(len(space.teachers))
        ones, zeros = np.ones(len(joined)), np.zeros(len(joined))
        joined = with_origin(joined, votes, joined.scores, ones, zeros)
        joined = joined[space.owners[ballots.labels, ballots.teachers]]
        return {FUSED: joined.clipped(context.width, context.height).sorted()}
