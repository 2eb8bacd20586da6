"""How much faster the compiled Weighted Boxes Fusion is than the package ensemble-boxes.

    python benchmarks/fusion.py --out benchmarks/results/fusion.json

Both fuse the same boxes in the same process, one thread each, compile time apart; each figure is
the median of the medians of several rounds, in which the two take turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ensemble_boxes import weighted_boxes_fusion

from benchmarks.common import Bar, console, exit_on_mistake, write_results
from mmcompose.class_space import ClassSpace
from mmcompose.labeling import FUSED, ByTeacher, LabelContext, WeightedBoxesFusion
from mmcompose.labeling.electorate import Ballots
from mmcompose.structures import Detections

WIDTH, HEIGHT = 1333, 800
SIZE = np.array([WIDTH, HEIGHT] * 2, np.float64)
IOU_THR = 0.55
ROUNDS = 7

# Teachers, boxes of each, classes; then the bars of the array kernel and the whole transform.
CASES = (
    (4, 300, 80, 100, 100),
    (2, 20, 80, 20, 5),
)


def make_image(teachers: int, boxes: int, classes: int) -> tuple[ByTeacher, LabelContext]:
    """Let each teacher see the same objects a little differently, with scores of its own."""
    rng = np.random.default_rng(0)
    names = [f'class {index}' for index in range(classes)]
    space = ClassSpace({f'teacher {index}': names for index in range(teachers)})
    low = rng.uniform(0, 0.7, (boxes, 2))
    objects = np.concatenate([low, low + rng.uniform(0.05, 0.3, (boxes, 2))], axis=1)
    labels = rng.integers(0, classes, boxes)
    said = {}
    for teacher in space.teachers:
        moved = objects + rng.normal(0, 0.01, objects.shape)
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 0.01)
        scores = rng.uniform(0.01, 1, boxes)
        said[teacher] = Detections.of(moved.clip(0, 1) * SIZE, scores, labels)
    return said, LabelContext(space, np.ones(teachers), 'image', WIDTH, HEIGHT)


def median_ms(run: Callable[[], Any], repeats: int) -> float:
    """Return the median processor time of a call, in milliseconds.

    Not the wall's: on a busy machine the longer call is interrupted more, and looks worse.
    """
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return float(np.median(times)) * 1e3


def measure(teachers: int, boxes: int, classes: int) -> dict[str, float]:
    """Time the package, the array kernel and the whole transform on one image."""
    said, context = make_image(teachers, boxes, classes)
    # What each is given is made beforehand: the package takes boxes in [0, 1].
    normalised = [found.boxes / SIZE for found in said.values()]
    scores = [found.scores.astype(np.float64) for found in said.values()]
    labels = [found.labels for found in said.values()]
    fusion = WeightedBoxesFusion(iou_thr=IOU_THR, owners=False)
    ballots = Ballots.of(said, context)

    def package() -> Any:
        return weighted_boxes_fusion(normalised, scores, labels, iou_thr=IOU_THR)

    def kernel() -> Any:
        return fusion.fuse(ballots, context)

    def transform() -> Any:
        return fusion.apply(said, context)

    begin = time.perf_counter()
    difference = _difference(package(), transform()[FUSED])
    first = time.perf_counter() - begin
    rounds = np.array(
        [
            [median_ms(package, 9), median_ms(kernel, 201), median_ms(transform, 201)]
            for _ in range(ROUNDS)
        ]
    )
    package_ms, kernel_ms, transform_ms = np.median(rounds, axis=0)
    return {
        'ensemble_boxes_ms': float(package_ms),
        'kernel_ms': float(kernel_ms),
        'transform_ms': float(transform_ms),
        'kernel_speedup': float(np.median(rounds[:, 0] / rounds[:, 1])),
        'transform_speedup': float(np.median(rounds[:, 0] / rounds[:, 2])),
        'largest_difference': difference,
        'first_call_s': first,
    }


def _difference(theirs: tuple[Any, Any, Any], ours: Detections) -> float:
    """Return how far the two results are apart, in scores and in boxes of [0, 1]."""
    order = np.argsort(-theirs[1], kind='stable')
    boxes = np.abs(theirs[0][order] - ours.boxes / SIZE).max()
    assert (theirs[2][order] == ours.labels).all()
    return float(max(boxes, np.abs(theirs[1][order] - ours.scores).max()))


def main() -> int:
    """Measure each case, print the figures and check the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results/fusion.json'))
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    bars: dict[str, Bar] = {}
    for teachers, boxes, classes, kernel_bar, transform_bar in CASES:
        name = f'{teachers} teachers x {boxes} boxes x {classes} classes'
        figures[name] = measure(teachers, boxes, classes)
        console.print(name, {key: round(value, 7) for key, value in figures[name].items()})
        bars[f'{name}: kernel, times faster'] = Bar(figures[name]['kernel_speedup'], kernel_bar)
        bars[f'{name}: transform, times faster'] = Bar(
            figures[name]['transform_speedup'], transform_bar
        )
        bars[f'{name}: largest difference, 1e-6'] = Bar(
            figures[name]['largest_difference'] * 1e6, 1.0, at_most=True
        )
    return write_results(arguments.out, figures, bars)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
