"""What the default costs a picture beyond a plain fusion with thresholds, and beyond teachers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from common import Bar
from label_world import LabelInput
from world_predictions import LOOKS, Cast
from world_rivals import bound

from mmcompose.class_space import ClassSpace

# Where the default is timed: three teachers, and of each picture so many boxes of each.
WORLD, BOXES = 'neighbours and COCO', 30
MILLISECONDS = 0.8
REPEATS, ROUNDS = 3, 7
# On so many pictures, decoded before, teachers are timed beside what looks at pictures.
PICTURES = 64
# What the default was made of before it was to label where teachers share nothing.
BEFORE: list[dict[str, Any]] = [
    {'type': 'mmcompose.ScoreFilter', 'min_score': 0.01},
    {'type': 'mmcompose.AgreementWeightedFusion', 'iou_thr': 0.7},
    {'type': 'mmcompose.CrossClassSuppression'},
    {'type': 'mmcompose.AdaptiveScoreBands', 'method': 'expected_fbeta', 'ignore_ratio': 0.6},
]


def cut(inputs: Sequence[LabelInput]) -> list[LabelInput]:
    """Return the same with each teacher's best boxes of a picture alone."""
    return [
        ({name: each.sorted()[:BOXES] for name, each in found.items()}, image)
        for found, image in inputs
    ]


def milliseconds(
    steps: Sequence[Mapping[str, Any]], inputs: Sequence[LabelInput], space: ClassSpace
) -> float:
    """Return the CPU time of fit and apply an image, the best of some repeats."""
    seconds = []
    for _ in range(REPEATS):
        begin = time.process_time()
        pipeline = bound(steps, space).fit(lambda: inputs)
        for each in inputs:
            pipeline.apply(*each)
        seconds.append(time.process_time() - begin)
    return 1000 * min(seconds) / len(inputs)


def measure_time(
    steps: Sequence[Mapping[str, Any]], inputs: Sequence[LabelInput], space: ClassSpace
) -> dict[str, float]:
    """Return milliseconds an image of the default, and of what it was made of before."""
    inputs = cut(inputs)
    timed = {'default': steps, 'before': BEFORE}
    return {name: milliseconds(each, inputs, space) for name, each in timed.items()}


def measure_looks(cast: Cast, teachers: Sequence[str], source: str) -> dict[str, float]:
    """Return milliseconds of CPU time a picture of what looks at pictures, and of each teacher.

    The median of some rounds, in each of which all predict: a machine's speed changes.
    """
    pictures = cast.pictures(source).images[:PICTURES]
    for image in pictures:
        assert image.pixels.size
    opened = {name: cast.open(name) for name in (LOOKS, *teachers)}
    seconds: dict[str, list[float]] = {name: [] for name in opened}
    for teacher in opened.values():
        teacher.predict(pictures[:4])
    for _ in range(ROUNDS):
        for name, teacher in opened.items():
            begin = time.process_time()
            teacher.predict(pictures)
            seconds[name].append(time.process_time() - begin)
    return {name: 1000 * median(each) / len(pictures) for name, each in seconds.items()}


def time_bars(timed: Mapping[str, float], looks: Mapping[str, float]) -> dict[str, Bar]:
    """Return what the steps that were added may cost, and what looks at pictures for them."""
    added = timed['default'] - timed['before']
    cheapest = min(value for name, value in looks.items() if name != LOOKS)
    return {
        'milliseconds an image of the added steps': Bar(added, MILLISECONDS, at_most=True),
        'looks at a picture / the cheapest teacher': Bar(looks[LOOKS] / cheapest, 1, at_most=True),
    }
