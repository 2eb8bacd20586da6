"""What a user would script instead, each at the constants that are best by the pool's truth."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from label_world import LabelInput
from world_measures import GRID, Bools, Boxes, Judged, Truth

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import LabelPipeline
from mmcompose.structures import Detections

FLOOR = 0.01
NMS_IOUS = (0.5, 0.6, 0.7)
FUSION_IOUS = (0.45, 0.55, 0.65, 0.75)
ANY_CLASS_IOUS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Best:
    """A rival at its best.

    Args:
        f1: Macro F1.
        constants: What it reaches that with, as plain values.
        boxes: Before a threshold.
        judged: The same, held against the truth.
        kept: Which of ``judged`` it keeps.
    """

    f1: float
    constants: dict[str, Any]
    boxes: Boxes
    judged: Judged
    kept: Bools

    @property
    def figures(self) -> dict[str, Any]:
        """The figures of what it keeps, and its constants."""
        return {**self.judged.figures(self.kept), 'constants': self.constants}


def one_threshold(boxes: Boxes, truth: Truth, constants: dict[str, Any]) -> Best:
    """Return the best that one threshold for all classes reaches."""
    judged = truth.judge(boxes)
    f1 = judged.f1_by_threshold().mean(axis=0)
    best = GRID[f1.argmax()]
    constants = {**constants, 'threshold': round(float(best), 3)}
    return Best(float(f1.max()), constants, boxes, judged, judged.scores >= best)


def threshold_by_class(boxes: Boxes, truth: Truth, constants: dict[str, Any]) -> Best:
    """Return the best that a threshold for each class reaches."""
    judged = truth.judge(boxes)
    f1 = judged.f1_by_threshold()
    # Above all scores: of a class without a true box nothing is kept.
    thresholds = np.full(truth.classes, 2.0)
    thresholds[truth.positives() > 0] = GRID[f1.argmax(axis=1)]
    kept = judged.scores >= thresholds[judged.labels]
    constants = {**constants, 'thresholds': thresholds.round(3).tolist()}
    return Best(float(f1.max(axis=1).mean()), constants, boxes, judged, kept)


def _best(tried: Iterable[Best]) -> Best:
    return max(tried, key=lambda best: best.f1)


def bound(steps: Sequence[Mapping[str, Any]], space: ClassSpace) -> LabelPipeline:
    """Return a label pipeline for teachers whose votes count alike."""
    return LabelPipeline(steps).bind(space, np.ones(len(space.teachers)))


def rivals(inputs: Sequence[LabelInput], truth: Truth, space: ClassSpace) -> dict[str, Best]:
    """Return each rival at its best in a world.

    Args:
        inputs: What the teachers predict on each picture, in the student's classes.
        truth: What is there.
        space: The class space.
    """
    together = Boxes.of([joined(each) for each in inputs])
    raw = [(together.best_of_each_place(iou, False), {'nms': iou}) for iou in NMS_IOUS]
    plain, by_owners = (list(_fused(inputs, space, owners)) for owners in (False, True))
    return {
        'one threshold': _best(one_threshold(boxes, truth, named) for boxes, named in raw),
        'a threshold by class': _best(
            threshold_by_class(boxes, truth, named) for boxes, named in raw
        ),
        'plain WBF + threshold': _best(
            one_threshold(boxes, truth, named) for boxes, named in plain
        ),
        'threshold + best of any class': _best(
            one_threshold(boxes.best_of_each_place(iou, True), truth, {**named, 'any class': iou})
            for (boxes, named), iou in itertools.product([*raw, *plain], ANY_CLASS_IOUS)
        ),
        "the paper's filter": _best(
            one_threshold(boxes, truth, named) for boxes, named in by_owners
        ),
    }


def joined(each: LabelInput) -> Detections:
    """Return the boxes of all teachers on one picture, from the floor on."""
    found = Detections.concatenate(each[0].values())
    return found[found.scores >= FLOOR]


def _fused(
    inputs: Sequence[LabelInput], space: ClassSpace, owners: bool
) -> Iterator[tuple[Boxes, dict[str, Any]]]:
    """Yield fused boxes; not among owners it is exactly what ensemble-boxes makes."""
    for iou_thr in FUSION_IOUS:
        fusion = bound([plain_fusion(iou_thr, owners)], space)
        yield Boxes.of([fusion.apply(*each) for each in inputs]), {'wbf': iou_thr}


def plain_fusion(iou_thr: float, owners: bool) -> dict[str, Any]:
    """Return the step that fuses boxes, among the owners of a class or among all teachers."""
    options = {'iou_thr': iou_thr, 'skip_box_thr': FLOOR, 'owners': owners}
    return {'type': 'mmcompose.WeightedBoxesFusion', **options}
