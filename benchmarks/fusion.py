"""How much faster the compiled Weighted Boxes Fusion is than the package ensemble-boxes.

    python benchmarks/fusion.py --out benchmarks/results/fusion.json

Both fuse the same boxes in the same process, one thread each, compile time apart; each figure is
the median of the medians of several rounds, in which the two take turns. That is run three times,
each in a process of its own: figures are their medians, beside the lowest and the highest.

With ``--config`` both also fuse what the teachers of a composition say of its pool (predictions
are taken from its store, or made), in every way to average scores, and must agree to 1e-6.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ensemble_boxes import weighted_boxes_fusion

from benchmarks.common import Bar, console, exit_on_mistake, write_results
from benchmarks.measuring import measured
from mmcompose.class_space import ClassSpace
from mmcompose.labeling import FUSED, ByTeacher, ImageContext, LabelInput, WeightedBoxesFusion
from mmcompose.labeling.compute.vote_weights import StackedDetections, VoteWeights, weight_factors
from mmcompose.labeling.compute.weighted_boxes_kernel import CONF_TYPES, FusionOptions, fuse_boxes
from mmcompose.structures import Detections, areas
from mmcompose.utils import UserError, fault

WIDTH, HEIGHT = 1333, 800
IOU_THR = 0.55
ROUNDS, RUNS = 7, 3

# Teachers, boxes of each, classes; then the bars of the array kernel and the whole transform.
CASES = (
    (4, 300, 80, 100, 100),
    (2, 20, 80, 20, 5),
)


def make_image(
    teachers: int, boxes: int, classes: int
) -> tuple[ByTeacher, ImageContext, ClassSpace]:
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
        said[teacher] = Detections.from_arrays(
            moved.clip(0, 1) * ([WIDTH, HEIGHT] * 2), scores, labels
        )
    return said, ImageContext('image', WIDTH, HEIGHT), space


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


def measure(teachers: int, boxes: int, classes: int, rounds: int = ROUNDS) -> dict[str, float]:
    """Time the package, the array kernel and the whole transform on one image."""
    said, image, space = make_image(teachers, boxes, classes)
    # What each is given is made beforehand: the package takes boxes in [0, 1].
    given = for_the_package(said, image)
    weights = np.ones(teachers)
    fusion = WeightedBoxesFusion(iou_thr=IOU_THR, owners=False)
    fusion.bind(space, weights)
    stacked = StackedDetections.from_detections(said, space)
    voters = VoteWeights.of_teachers(space, weights, weight_factors(space, {}), owners=False)
    options = FusionOptions(IOU_THR, 0.0, CONF_TYPES.index('avg'), allows_overflow=False)

    def package() -> Any:
        return weighted_boxes_fusion(*given, iou_thr=IOU_THR)

    def kernel() -> Any:
        return fuse_boxes(stacked, voters, options, float(image.width), float(image.height))

    def transform() -> Any:
        return fusion.apply(said, image)

    begin = time.perf_counter()
    difference = _difference(package(), transform()[FUSED], image)
    first = time.perf_counter() - begin
    times = np.array(
        [
            [median_ms(package, 9), median_ms(kernel, 201), median_ms(transform, 201)]
            for _ in range(rounds)
        ]
    )
    package_ms, kernel_ms, transform_ms = np.median(times, axis=0)
    return {
        'ensemble_boxes_ms': float(package_ms),
        'kernel_ms': float(kernel_ms),
        'transform_ms': float(transform_ms),
        'kernel_speedup': float(np.median(times[:, 0] / times[:, 1])),
        'transform_speedup': float(np.median(times[:, 0] / times[:, 2])),
        'largest_difference': difference,
        'first_call_s': first,
    }


def in_runs(teachers: int, boxes: int, classes: int, runs: int) -> dict[str, Any]:
    """Return the median of each figure of :func:`measure` over some runs, and their spread."""
    found = [measured(measure, teachers, boxes, classes)[0] for _ in range(runs)]
    values = {name: [each[name] for each in found] for name in found[0]}
    figures: dict[str, Any] = {name: float(np.median(each)) for name, each in values.items()}
    figures['lowest'] = {name: min(each) for name, each in values.items()}
    figures['highest'] = {name: max(each) for name, each in values.items()}
    return figures


def for_the_package(said: ByTeacher, image: ImageContext) -> tuple[Any, Any, Any]:
    """Return boxes in [0, 1], scores and labels by teacher, as ensemble-boxes takes them."""
    size = np.array([image.width, image.height] * 2, np.float64)
    return (
        [found.boxes / size for found in said.values()],
        [found.scores.astype(np.float64) for found in said.values()],
        [found.labels for found in said.values()],
    )


def _difference(theirs: tuple[Any, Any, Any], ours: Detections, image: ImageContext) -> float:
    """Return how far the two results are apart, in scores and in boxes of [0, 1].

    The farthest that a box of either is from the nearest of the other of its class: sorted by
    score, two boxes that score alike to the last bits could stand in another order.
    """
    if len(theirs[1]) != len(ours):
        return float('inf')
    size = np.array([image.width, image.height] * 2, np.float64)
    rows = np.column_stack([theirs[0], np.minimum(theirs[1], 1)])
    own = np.column_stack([ours.boxes / size, ours.scores])
    apart = np.abs(rows[:, None] - own[None]).max(axis=2, initial=0)
    apart[theirs[2][:, None] != ours.labels[None]] = np.inf
    if not apart.size:
        return 0.0
    return float(max(apart.min(axis=0).max(), apart.min(axis=1).max()))


def distinct(said: ByTeacher, image: ImageContext) -> ByTeacher:
    """Return boxes with area inside the image, one of each score.

    The package drops others with a printed line, and leaves ties to the order of its input.
    """
    clipped = {name: found.clipped(image.width, image.height) for name, found in said.items()}
    seen: set[float] = set()
    kept = {}
    for name, found in clipped.items():
        found = found[(areas(found.boxes) > 0) & (found.scores > 0)]
        _, first = np.unique(found.scores, return_index=True)
        new = [row for row in np.sort(first).tolist() if float(found.scores[row]) not in seen]
        kept[name] = found[np.array(new, np.int64)]
        seen.update(kept[name].scores.tolist())
    return kept


def compare(pool: Iterable[LabelInput], space: ClassSpace) -> dict[str, Any]:
    """Return the largest difference from the package over images, by how scores are averaged."""
    largest = dict.fromkeys(CONF_TYPES, 0.0)
    images = boxes = 0
    for said, image in pool:
        said = distinct(said, image)
        given = for_the_package(said, image)
        images, boxes = images + 1, boxes + sum(map(len, given[1]))
        for conf_type in CONF_TYPES:
            fusion = WeightedBoxesFusion(IOU_THR, conf_type=conf_type, owners=False)
            fusion.bind(space, np.ones(len(space.teachers)))
            theirs = weighted_boxes_fusion(*given, iou_thr=IOU_THR, conf_type=conf_type)
            ours = fusion.apply(said, image)[FUSED]
            largest[conf_type] = max(largest[conf_type], _difference(theirs, ours, image))
    return {'images': images, 'boxes': boxes, 'largest_difference': largest}


def real_predictions(path: str, limit: int) -> tuple[Iterable[LabelInput], ClassSpace]:
    """Return a composition's predictions of the first images of its pool, and its classes."""
    # Here, since the timing needs neither torch nor MMDetection.
    from mmcompose.commands.config_files import read_compose_config
    from mmcompose.engine import read_composition
    from mmcompose.engine.read_composition import pool_of

    config = read_compose_config(path)
    composition, images = read_composition(config), pool_of(config)
    if images is None:
        raise UserError(fault('', f'{path}: trains on no mmcompose.PseudoLabeledDataset'))
    tables = composition.predictions(images)
    rows = range(min(limit, len(images)))
    pool = (composition.teacher_detections(tables, images, row) for row in rows)
    return pool, composition.class_space.with_coarse


def main() -> int:
    """Measure each case, print the figures and check the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results/fusion.json'))
    parser.add_argument('--config', help='also compare on the predictions of this composition')
    parser.add_argument('--images', type=int, default=1200, help='of its pool, at the most')
    parser.add_argument('--runs', type=int, default=RUNS, help='of each case')
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    bars: dict[str, Bar] = {}
    for teachers, boxes, classes, kernel_bar, transform_bar in CASES:
        name = f'{teachers} teachers x {boxes} boxes x {classes} classes'
        figures[name] = in_runs(teachers, boxes, classes, arguments.runs)
        console.print(name, figures[name])
        bars[f'{name}: kernel, times faster'] = Bar(figures[name]['kernel_speedup'], kernel_bar)
        bars[f'{name}: transform, times faster'] = Bar(
            figures[name]['transform_speedup'], transform_bar
        )
        bars[f'{name}: largest difference, 1e-6'] = Bar(
            figures[name]['largest_difference'] * 1e6, 1.0, at_most=True
        )
    if arguments.config:
        real = compare(*real_predictions(arguments.config, arguments.images))
        figures['real predictions'] = {'config': Path(arguments.config).name, **real}
        console.print('real predictions', real)
        for conf_type, difference in real['largest_difference'].items():
            name = f'real predictions, {conf_type}: largest difference, 1e-6'
            bars[name] = Bar(difference * 1e6, 1.0, at_most=True)
    return write_results(arguments.out, figures, bars)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
