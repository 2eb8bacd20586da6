"""A made-up pool in which wrong labels are planted, to compare what ranks pictures for review.

Three teachers look at the same objects, with faults of their own in every picture. In a quarter of
the pictures one of four wrong labels is planted, by letting most teachers make the same mistake:
another class, a place beside the object, nothing at all, or an object where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import ImageContext, LabelPipeline
from mmcompose.structures import Detections, iou

CLASSES = ('car', 'bus', 'person', 'dog', 'cat')
TEACHERS = ('one', 'two', 'three')
# Of five objects, how many are of each class: the last is rare.
FREQUENCIES = (0.4, 0.25, 0.2, 0.1, 0.05)
SIZE = 640
PIPELINE = (
    {'type': 'mmcompose.ScoreFilter', 'min_score': 0.05},
    {'type': 'mmcompose.WeightedBoxesFusion', 'iou_thr': 0.55},
    {'type': 'mmcompose.ScoreBands', 'keep': 0.4, 'ignore': 0.2},
)
_PLANTED = 0.25
_FINDS = 0.85
_FALSE_ALARMS = 0.3
_JITTER = 0.06


@dataclass
class Planted:
    """A pool with planted mistakes.

    Args:
        truth: By picture, what is there.
        predictions: By picture and teacher.
        labels: By picture, fused.
        owners: ``(C, T)`` bool, who knows which class.
        is_planted: By picture, whether a mistake was planted.
    """

    truth: list[Detections]
    predictions: list[dict[str, Detections]]
    labels: list[Detections]
    owners: NDArray[np.bool_]
    is_planted: NDArray[np.bool_]


def plant(count: int, seed: int = 0) -> Planted:
    """Make a pool of ``count`` pictures."""
    random = np.random.default_rng(seed)
    space = ClassSpace(dict.fromkeys(TEACHERS, CLASSES))
    pipeline = LabelPipeline(PIPELINE).bind(space, np.ones(len(TEACHERS)))
    is_planted = random.random(count) < _PLANTED
    made = Planted([], [], [], space.owners, is_planted)
    for number, has_mistake in enumerate(is_planted.tolist()):
        truth = _objects(random)
        common = _with_mistake(truth, random) if has_mistake else truth
        # Who makes the common mistake: two of three, or all.
        misled = random.permutation(len(TEACHERS))[: random.integers(2, 4)] if has_mistake else ()
        said = {
            name: _look(common if place in misled else truth, random)
            for place, name in enumerate(TEACHERS)
        }
        made.truth.append(truth)
        made.predictions.append(said)
        made.labels.append(pipeline.apply(said, ImageContext(str(number), SIZE, SIZE)))
    return made


def _objects(random: np.random.Generator) -> Detections:
    boxes: list[list[float]] = []
    while len(boxes) < random.integers(2, 7):
        box = _box(random)
        if not boxes or iou(np.array([box], np.float32), np.array(boxes, np.float32)).max() < 0.1:
            boxes.append(box)
    labels = random.choice(len(CLASSES), len(boxes), p=FREQUENCIES)
    return Detections.from_arrays(boxes, np.ones(len(boxes)), labels)


def _box(random: np.random.Generator) -> list[float]:
    width, height = random.uniform(50, 200, 2)
    left, top = random.uniform(0, SIZE - width), random.uniform(0, SIZE - height)
    return [left, top, left + width, top + height]


def _with_mistake(truth: Detections, random: np.random.Generator) -> Detections:
    boxes, labels = truth.boxes.copy(), truth.labels.copy()
    row, kind = random.integers(len(truth)), random.integers(4)
    if kind == 0:
        labels[row] = (labels[row] + random.integers(1, len(CLASSES))) % len(CLASSES)
    elif kind == 1:
        side = (boxes[row, 2:] - boxes[row, :2]) * random.uniform(0.35, 0.5, 2)
        boxes[row] = (boxes[row] + np.tile(side * random.choice([-1, 1], 2), 2)).clip(0, SIZE)
    elif kind == 2:
        boxes, labels = np.delete(boxes, row, 0), np.delete(labels, row)
    else:
        boxes = np.vstack([boxes, [_box(random)]])
        labels = np.append(labels, random.integers(len(CLASSES)))
    return Detections.from_arrays(boxes, np.ones(len(boxes)), labels)


def _look(there: Detections, random: np.random.Generator) -> Detections:
    """Return what one teacher predicts where it takes ``there`` for true."""
    seen = there[random.random(len(there)) < _FINDS]
    sides = np.tile(seen.boxes[:, 2:] - seen.boxes[:, :2], 2)
    boxes = seen.boxes + random.normal(0, _JITTER, seen.boxes.shape) * sides
    alarms = random.poisson(_FALSE_ALARMS)
    boxes = np.vstack([boxes, *([_box(random)] for _ in range(alarms))])
    labels = np.append(seen.labels, random.integers(len(CLASSES), size=alarms))
    scores = np.append(random.beta(6, 2, len(seen)), random.beta(2, 5, alarms))
    return Detections.from_arrays(boxes, scores, labels).clipped(SIZE, SIZE)
