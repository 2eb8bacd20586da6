"""Measure how a store and the label pipeline grow with the pool.

    python benchmarks/store_scale.py --out benchmarks/results/store_scale.json

Writes predictions of two teachers, 30 boxes each, on 100,000 pictures that are never opened into a
temporary store, and makes labels of them: by plain fusion, by a pipeline that learns from the pool,
and by that with another threshold. Then learns from pictures with ever more boxes, and adds one
picture to a pool of 10,000.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Bar, console, exit_on_mistake, write_results
from benchmarks.measuring import measured
from mmcompose.class_space import ClassSpace
from mmcompose.composition import Composition
from mmcompose.labeling import ImageContext, LabelPipeline
from mmcompose.store import ImageTable, LabelStore
from mmcompose.store.image_table import SCHEMA
from mmcompose.structures import Detections
from tests import toys

WIDTH, HEIGHT, CLASSES = 640, 480, 80
TEACHERS, BOXES, IMAGES, ADDED_TO = 2, 30, 100_000, 10_000
FIT_SIZES = (75, 150, 300, 600)
NAMES = [f'class {number}' for number in range(CLASSES)]
PLAIN: list[dict[str, Any]] = [
    {'type': 'mmcompose.ScoreFilter', 'min_score': 0.05},
    {'type': 'mmcompose.WeightedBoxesFusion', 'iou_thr': 0.55},
    {'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'ignore': 0.3},
]
# All that the default learned before it compared what boxes look like.
LEARNING: list[dict[str, Any]] = [
    {'type': 'mmcompose.ScoreFilter', 'min_score': 0.01},
    {'type': 'mmcompose.AgreementWeightedFusion', 'iou_thr': 0.7},
    {'type': 'mmcompose.CrossClassSuppression'},
    {'type': 'mmcompose.AdaptiveScoreBands', 'method': 'expected_fbeta', 'ignore_ratio': 0.6},
]
OTHER_THRESHOLD = [*LEARNING[:-1], {**LEARNING[-1], 'ignore_ratio': 0.5}]


def pool(count: int) -> ImageTable:
    """Return a pool of pictures that are not there."""
    rows = np.arange(count)
    keys = [f'{number:07d}.jpg' for number in rows.tolist()]
    columns = {
        'key': keys,
        'width': np.full(count, WIDTH),
        'height': np.full(count, HEIGHT),
        'num_bytes': 50_000 + rows,
        'path': [f'pool/{key}'.encode() for key in keys],
    }
    return ImageTable(pa.table(columns, schema=SCHEMA))


def scene(seed: int, teachers: int, boxes: int) -> list[Detections]:
    """Let each teacher find a third of its boxes where the others do, and the rest anywhere."""
    random = np.random.default_rng(seed)
    size = np.array([WIDTH, HEIGHT] * 2, np.float32)
    shared = boxes // 3
    objects, labels = _boxes(random, shared), random.integers(0, CLASSES, shared)
    found = []
    for _ in range(teachers):
        near = objects + random.normal(0, 0.01, objects.shape)
        corners = np.concatenate([near, _boxes(random, boxes - shared)]).clip(0, 1)
        corners[:, 2:] = np.maximum(corners[:, 2:], corners[:, :2] + 0.01)
        scores = np.concatenate([random.beta(6, 2, shared), random.beta(1, 6, boxes - shared)])
        others = random.integers(0, CLASSES, boxes - shared)
        every = np.concatenate([labels, others])
        made = Detections.from_arrays(corners * size, scores.clip(0.001, 1), every)
        found.append(made.clipped(WIDTH, HEIGHT))
    return found


def _boxes(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    low = random.uniform(0, 0.8, (count, 2))
    return np.concatenate([low, low + random.uniform(0.03, 0.2, (count, 2))], axis=1)


def composition(store: Path, steps: Sequence[dict[str, Any]]) -> Composition:
    """Return a composition of teachers that never predict."""
    teacher = {'type': 'mmcompose.FunctionTeacher', 'function': 'tests.toys.see', 'classes': NAMES}
    return Composition(
        teachers={
            f't{n}': {**teacher, 'arguments': {'colours': [f'{n}']}} for n in range(TEACHERS)
        },
        label_pipeline=steps,
        store=str(store),
        workers=1,
    )


def fill(store: Path, count: int) -> None:
    """Write the predictions of a pool."""
    made, images = composition(store, PLAIN), pool(count)
    made.store.begin()
    results = {n: made.store.predictions(r['identity']) for n, r in made.teacher_records.items()}
    size = LabelStore.part_size
    for start in range(0, count, size):
        part = list(images[start : start + size])
        scenes = [scene(start + row, TEACHERS, BOXES) for row in range(len(part))]
        for name, found in zip(results, zip(*scenes, strict=True), strict=True):
            results[name].write(f'{start:07d}', part, list(found))
    for each in results.values():
        each.index.refresh()
        each.index.keep()


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())


def refuse(store: Path, count: int, steps: Sequence[dict[str, Any]]) -> int:
    """Make labels of predictions that are there, and return how many boxes they have."""
    return composition(store, steps).labels(pool(count)).table.num_boxes


def fit_ms(sizes: Sequence[int], images: int, teachers: int = 4) -> dict[int, float]:
    """Return the processor time of learning from an image, in milliseconds, by boxes a teacher.

    The sizes take turns, so that what else the machine does slows all of them; of each the best of
    five counts.
    """
    space = ClassSpace({f't{number}': NAMES for number in range(teachers)})
    pipeline = LabelPipeline(LEARNING).bind(space, np.ones(teachers))
    context = ImageContext('image', WIDTH, HEIGHT)
    scenes = {
        boxes: [
            (dict(zip(space.teachers, scene(seed, teachers, boxes), strict=True)), context)
            for seed in range(images)
        ]
        for boxes in sizes
    }
    # Compiles, or reads what was compiled.
    pipeline.fit(lambda: scenes[sizes[0]][:4])
    best = dict.fromkeys(sizes, float('inf'))
    for _ in range(5):
        for boxes, some in scenes.items():
            begin = time.process_time()
            pipeline.fit(lambda some=some: some)
            best[boxes] = min(best[boxes], time.process_time() - begin)
    return {boxes: seconds / images * 1000 for boxes, seconds in best.items()}


def count_added(folder: Path, count: int) -> int:
    """Return how many predictions a teacher makes where one picture joins a pool."""
    drawn = toys.draw(folder / 'pool', 1)
    store = folder / 'store'
    fill(store, count)
    one = ImageTable.of(toys.images_in(folder / 'pool')[: len(drawn)])
    grown = ImageTable(pa.concat_tables([pool(count).table, one.table]).combine_chunks())
    asked: list[int] = []
    made = composition(store, PLAIN)
    for teacher in made.teachers.values():
        predict = teacher.predict
        vars(teacher)['predict'] = lambda images, predict=predict: (
            asked.append(len(images)),
            predict([]) + [Detections()] * len(images),
        )[1]
    assert len(made.labels(grown)) == count + 1
    return sum(asked)


def main() -> int:
    """Measure, print the figures and check the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--out', type=Path, required=True, help='a JSON file')
    parser.add_argument('--quick', action='store_true', help='a hundredth of the pictures')
    args = parser.parse_args()
    images, added_to = (IMAGES // 100, ADDED_TO // 100) if args.quick else (IMAGES, ADDED_TO)
    figures: dict[str, Any] = {'images': images}
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / 'store'
        _, usage = measured(fill, store, images)
        console.print(f'predictions written: {usage.rounded}')
        sizes = {'predictions of a teacher': _bytes(store / 'predictions') / images / TEACHERS}
        for name, steps in (
            ('plain fusion', PLAIN),
            ('pipeline that learns', LEARNING),
            ('another threshold', OTHER_THRESHOLD),
        ):
            boxes, usage = measured(refuse, store, images, steps)
            figures[name] = {**usage.rounded, 'boxes': boxes}
            console.print(f'{name}: {figures[name]}')
            if steps is PLAIN:
                sizes['labels'] = _bytes(store / 'labels') / images
        figures['bytes a picture'] = {what: round(size) for what, size in sizes.items()}
        console.print(f'bytes a picture: {figures["bytes a picture"]}')
        added, _ = measured(count_added, Path(folder) / 'added', added_to)
    figures['predictions for one more picture, all teachers'] = added
    num = 8 if args.quick else 100
    taken, _ = measured(fit_ms, FIT_SIZES, num)
    fit = {str(boxes): round(milliseconds, 2) for boxes, milliseconds in taken.items()}
    figures['fit, ms an image of 4 teachers'] = fit
    console.print(f'fit: {fit}')
    peak = max(each['peak_mib'] for each in figures.values() if isinstance(each, dict)
               and 'peak_mib' in each)  # fmt: skip
    growth = max(taken[2 * boxes] / taken[boxes] for boxes in FIT_SIZES[:-1])
    of = f'{images:,} images'
    bars = {
        f'{of}, plain fusion, CPU s': Bar(figures['plain fusion']['cpu_seconds'], 30, True),
        f'{of}, learning, CPU s': Bar(figures['pipeline that learns']['cpu_seconds'], 120, True),
        f'{of}, other threshold, CPU s': Bar(figures['another threshold']['cpu_seconds'], 40, True),
        'peak memory, MiB': Bar(peak, 1024, True),
        'fit, 4 x 300 boxes, ms an image': Bar(fit['300'], 15, True),
        'fit, growth by twice the boxes': Bar(growth, 2.3, True),
        f'predictions a teacher, 1 joins {added_to:,}': Bar(added / TEACHERS, 1, True),
    }
    return write_results(args.out.resolve(), figures, bars)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
