"""What the default costs a picture beyond a plain fusion with thresholds, and beyond teachers."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
from common import Bar
from label_world import LabelInput
from world_predictions import LOOKS, Cast

from mmcompose.class_space import ClassSpace
from mmcompose.composition import Composition
from mmcompose.composition.features import Features
from mmcompose.store import PART_SIZE, ImageTable, PictureResults
from mmcompose.store.image_table import SCHEMA
from mmcompose.structures import Detections

# Where the default is timed: three teachers, and of each picture so many boxes of each.
WORLD, BOXES = 'neighbours and COCO', 30
MILLISECONDS = 0.8
REPEATS, ROUNDS = 3, 7
MADE_OF_PREDICTIONS = ('labels', 'learned', 'collected')
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


def measure_time(
    steps: Sequence[Mapping[str, Any]], inputs: Sequence[LabelInput], space: ClassSpace
) -> dict[str, float]:
    """Return milliseconds an image of the default, and of what it was made of before.

    CPU time of all that follows the predictions, which are in a store: they and features are read,
    the pipeline learns, labels are made and written. The best of some repeats.
    """
    inputs = cut(inputs)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        pool = write_predictions(store, steps, inputs, space)
        for name, each in (('default', steps), ('before', BEFORE)):
            seconds = []
            # Once more than is counted: what numba compiled is read.
            for _ in range(REPEATS + 1):
                begin = time.process_time()
                composition(store, each, space).labels(pool)
                seconds.append(time.process_time() - begin)
                for kind in MADE_OF_PREDICTIONS:
                    shutil.rmtree(store / kind, ignore_errors=True)
            found[name] = 1000 * min(seconds[1:]) / len(inputs)
    return found


def see(pixels: Any, name: str) -> Any:
    """Stand for a teacher, whose predictions are all in the store."""
    raise AssertionError(f'{name} predicts')


def composition(store: Path, steps: Sequence[Mapping[str, Any]], space: ClassSpace) -> Composition:
    """Return a composition of the same teachers, which have predicted already."""
    teacher = {'type': 'mmcompose.FunctionTeacher', 'function': 'world_timing.see'}
    owned = {
        name: [space.classes[row] for row in np.flatnonzero(owns)]
        for name, owns in zip(space.teachers, space.owners.T, strict=True)
    }
    return Composition(
        teachers={
            # The arguments tell them apart.
            name: {**teacher, 'classes': classes, 'arguments': {'name': name}}
            for name, classes in owned.items()
        },
        class_space={'classes': list(space.classes)},
        label_pipeline=[dict(step) for step in steps],
        store=str(store),
        workers=1,
    )


def write_predictions(
    store: Path,
    steps: Sequence[Mapping[str, Any]],
    inputs: Sequence[LabelInput],
    space: ClassSpace,
) -> ImageTable:
    """Write what teachers predict, and what pictures look like, and return the pool."""
    made = composition(store, steps, space)
    contexts = [image for _, image in inputs]
    columns = {
        'key': [image.key for image in contexts],
        'width': [image.width for image in contexts],
        'height': [image.height for image in contexts],
        'num_bytes': [0] * len(contexts),
        'path': [image.key.encode() for image in contexts],
    }
    pool = ImageTable(pa.table(columns, schema=SCHEMA))
    made.store.begin()
    for name, record in made.teacher_records.items():
        classes = made.teachers[name].classes
        index = np.array([classes.index(n) if n in classes else -1 for n in space.classes])
        found = [of[name].with_fields(labels=index[of[name].labels]) for of, _ in inputs]
        _write(made.store.predictions(record['identity']), pool, found)
    features = Features.of(made.pipeline)
    assert features is not None
    looked = made.store.features(features.identity)
    _write(looked, pool, [image.cells for image in contexts if image.cells is not None])
    return pool


def _write(results: PictureResults, pool: ImageTable, found: Sequence[Detections]) -> None:
    for begin in range(0, len(pool), PART_SIZE):
        rows = slice(begin, begin + PART_SIZE)
        results.write(f'{begin:07d}', pool[rows], found[rows])
    results.index.refresh()
    results.index.keep()


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
