"""Calibration by rank: the k-th best boxes of teachers that share a class score alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.base import LabelInput, LabelStream, who_predicted
from mmcompose.labeling.calibration.base import Calibration
from mmcompose.labeling.compute.before_fusion import before_fusion
from mmcompose.labeling.compute.curves import TeacherCurves, anchored, isotonic_curve
from mmcompose.labeling.compute.scored_boxes import boxes_by_teacher
from mmcompose.labeling.compute.state import State
from mmcompose.registry import CALIBRATIONS


@CALIBRATIONS.register_module('quantile')
class QuantileCalibration(Calibration):
    """Make the k-th best box of a class score alike for all of its owners, in the whole pool.

    At the mean of what they gave, in the images on which all of them predicted. A teacher that
    shares no class stays as it is.
    """

    revision = 3

    def collect(self, stream: LabelStream) -> State:
        """See :meth:`Calibration.collect`."""
        return super().collect(self._of_all_owners(before_fusion(stream)))

    def _of_all_owners(self, stream: Iterator[LabelInput]) -> Iterator[LabelInput]:
        """Leave out boxes of classes of which an owner did not predict on the image."""
        space = self.class_space
        for detections, image in stream:
            predicted = who_predicted(detections, space)
            if not predicted.all():
                kept = (space.owners & ~predicted).sum(axis=1) == 0
                detections = {name: each[kept[each.labels]] for name, each in detections.items()}
            yield detections, image

    def curves(self, state: State) -> Mapping[str, TeacherCurves]:
        """See :meth:`Calibration.curves`."""
        boxes, space = boxes_by_teacher(state, self.class_space), self.class_space
        own: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
        mean: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
        for label, owners in enumerate(space.owners):
            names = sorted(name for name, owns in zip(space.teachers, owners, strict=True) if owns)
            found = [boxes[name].of_classes([label]).scores for name in names if name in boxes]
            scores = [-np.sort(-part) for part in found if len(part)]
            if len(scores) < 2 or len(scores) < len(names):
                continue
            depth = min(len(part) for part in scores)
            target = np.stack([part[:depth] for part in scores]).astype(np.float64).mean(axis=0)
            for name, part in zip(names, scores, strict=True):
                own[name].append(part[:depth])
                mean[name].append(target)
        curves = {}
        for name in sorted(own):
            curve = isotonic_curve(np.concatenate(own[name]), np.concatenate(mean[name]))
            curves[name] = {'common': anchored(curve), 'classes': {}}
        return curves
