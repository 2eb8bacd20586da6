"""A coarse box that lies on a finer one of another teacher supports it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import FUSED, ByTeacher, ImageContext, LabelTransform
from mmcompose.labeling.compute.vote_weights import StackedDetections
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import iou
from mmcompose.utils import Fraction, UserError, fault


@LABEL_TRANSFORMS.register_module()
class ResolveHierarchy(LabelTransform):
    """Let a teacher that knows only `animal` vote for the `dog` that another one found there.

    Stands before a fusion. By ``class_space.hierarchy``, a coarse box takes class and place of the
    box of another teacher that it overlaps: the finest such class, of its boxes the best. It takes
    that box's score too where its own is lower. To the fusion it is a vote for the finer box that
    can raise its score and never lowers it, and no box by itself; where the coarse teacher is
    silent it does not count, unless it owns the finer class too. What lies on no finer box keeps
    its class, and is dropped where the student has no such class. Filters of single teachers stand
    before this step.

    Args:
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.55.

    Raises:
        UserError: When applied, if a fusion went before.
    """

    def __init__(self, iou_thr: Fraction = 0.55) -> None:
        self.iou_thr = iou_thr

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        if FUSED in detections:
            raise UserError(
                fault('type', 'ResolveHierarchy works on each teacher; put it before a fusion')
            )
        hierarchy = self.class_space.hierarchy
        stacked = StackedDetections.from_detections(detections, self.class_space)
        is_coarse = np.asarray(hierarchy.below.any(axis=1))
        coarse = is_coarse[stacked.labels]
        if not coarse.any():
            return _of_the_student(detections, self.class_space)
        order = self._finest_first(stacked, hierarchy.depth)
        rows = np.flatnonzero(coarse)
        finer = hierarchy.below[stacked.labels[rows, None], stacked.labels[order]]
        finer &= stacked.teachers[rows, None] != stacked.teachers[order]
        finer &= iou(stacked.boxes[rows], stacked.boxes[order]) > self.iou_thr
        found = finer.any(axis=1)
        supported = np.arange(len(stacked.labels))
        supported[rows[found]] = order[finer[found].argmax(axis=1)]
        # The box may itself lie on a finer one, and that on another.
        for _ in range(int(hierarchy.depth.max())):
            supported = supported[supported]
        scores = np.maximum(stacked.scores, stacked.scores[supported]).astype(np.float32)
        boxes = stacked.boxes[supported].astype(np.float32)
        resolved = {}
        for index, teacher in enumerate(self.class_space.teachers):
            if teacher in detections:
                own = stacked.teachers == index
                resolved[teacher] = replace(
                    detections[teacher],
                    boxes=boxes[own],
                    scores=scores[own],
                    labels=stacked.labels[supported][own],
                )
        return _of_the_student(resolved, self.class_space)

    def _finest_first(
        self, stacked: StackedDetections, depth: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        keys = (*stacked.boxes.T[::-1], stacked.labels, -stacked.scores, -depth[stacked.labels])
        return np.lexsort(keys)


def _of_the_student(detections: ByTeacher, space: ClassSpace) -> ByTeacher:
    """Drop what stayed of a coarse class that the student lacks."""
    if space.num_classes == len(space.classes):
        return detections
    return {name: found[found.labels < space.num_classes] for name, found in detections.items()}
