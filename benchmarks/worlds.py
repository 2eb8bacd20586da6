"""How well the default labels in worlds of teachers that share classes and pictures, or nothing.

    python benchmarks/worlds.py --data VOC --cells BCCD --weights WEIGHTS

Small detectors are trained once, predict once, and label pools whose truth is known: as they are,
with one of them spoiled (its boxes are random on half of the pictures), and with a useless one
beside them (it knows no object of the pool). The default pipeline learns from the pool alone; each
rival has the constants that are best by the pool's truth. `--students` trains students of some
worlds, and their oracles.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import demo
import numpy as np
from common import Stages, console, exit_on_mistake, write_results
from label_quality import pipeline_steps
from label_world import LabelInput, spoil
from mmengine.logging import MMLogger
from numpy.typing import NDArray
from world_data import WORLDS, Pictures, Raw, WorldSpec
from world_measures import Boxes, Truth
from world_predictions import DEFAULT, LOOKS, VOC_TEACHERS, Cast, check_names, parser_of, wanted_by
from world_rivals import bound, rivals
from world_students import RATIOS, Students, student_bars, student_table
from world_tables import bars, tables
from world_teachers import RECIPES
from world_timing import WORLD as TIMED
from world_timing import measure_looks, measure_time, time_bars

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import ImageContext, LabelPipeline
from mmcompose.structures import Detections
from mmcompose.utils import file_fingerprint, fingerprint, write_json

SEED = 0
# What may be done to a world, beside leaving it as it is.
VARIANTS = ('spoiled', 'useless')
# Whose code decides what is measured of given labels.
MEASURING_FILES = ('world_data', 'world_measures', 'world_rivals', 'label_world')


@dataclass(frozen=True)
class World:
    """What teachers predict on pictures, and what is there.

    Args:
        inputs: What they predict on each picture, in the student's classes.
        pictures: The pictures, with their truth in the student's classes.
        space: The class space.
    """

    inputs: list[LabelInput]
    pictures: Pictures
    space: ClassSpace

    @classmethod
    def of(
        cls, spec: WorldSpec, raw: Mapping[tuple[str, str], Raw], pictures: Mapping[str, Pictures]
    ) -> World:
        """Put a world together.

        Args:
            spec: What it is.
            raw: What its teachers predict, by teacher and source; and what pictures look like,
                where the default compares that.
            pictures: By source.
        """
        sources = list(spec.pool)
        known = {name: raw[name, sources[0]].classes for name in spec.teachers}
        space = ClassSpace(
            known, list(spec.classes), ['voc-coco'], dict(spec.mapping), on_unmapped='drop'
        )
        pool = [pictures[source].first(count) for source, count in spec.pool.items()]
        images = [image for part in pool for image in part.images]
        found = {
            name: [
                space.convert(name, each)
                for source, part in zip(sources, pool, strict=True)
                for each in raw[name, source].found[: len(part.images)]
            ]
            for name in spec.teachers
        }
        looks = [
            (raw[LOOKS, source].found[row] if (LOOKS, source) in raw else None)
            for source, part in zip(sources, pool, strict=True)
            for row in range(len(part.images))
        ]
        inputs = [
            (
                {name: each[row] for name, each in found.items()},
                ImageContext(image.key, image.width, image.height, cells=look),
            )
            for row, (image, look) in enumerate(zip(images, looks, strict=True))
        ]
        truth = [each for part in pool for each in in_classes(part, spec.classes)]
        return cls(inputs, Pictures(images, truth, spec.classes), space)

    @property
    def truth(self) -> Truth:
        """What is there."""
        return Truth.of(self.pictures.truth, self.space.owners)

    def precision_of_teachers(self) -> dict[str, float]:
        """Return the AP of each teacher on its own classes."""
        return {
            name: mean_precision(
                self.truth.average_precision(Boxes.of([each[name] for each, _ in self.inputs])),
                owned,
            )
            for name, owned in zip(self.space.teachers, self.space.owners.T, strict=True)
        }


def mean_precision(by_class: NDArray[np.float64], classes: Any = slice(None)) -> float:
    """Return the mean AP of the classes, or of some, that have a true box."""
    values = by_class[classes]
    return float(np.nanmean(values)) if np.isfinite(values).any() else float('nan')


def in_classes(part: Pictures, classes: Sequence[str]) -> list[Detections]:
    """Return the truth of pictures in other classes; boxes of classes not among them are left out.

    Args:
        part: The pictures.
        classes: The student's.
    """
    index = np.array([classes.index(n) if n in classes else -1 for n in part.classes])
    kept = [each[index[each.labels] >= 0] for each in part.truth]
    return [
        Detections(each.boxes, each.scores, index[each.labels], ignore=each.ignore) for each in kept
    ]


def kept_in(cache: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return figures that were measured before, or measure them now."""
    if not cache.is_file():
        write_json('--work-dir', cache, make())
    found: dict[str, Any] = json.loads(cache.read_text(encoding='utf-8'))
    return found


def measure_default(world: World, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Measure what a label pipeline makes of a world's pool."""
    begin = time.process_time()
    pipeline = bound(steps, world.space).fit(lambda: world.inputs)
    kept = [pipeline.apply(*each) for each in world.inputs]
    seconds = (time.process_time() - begin) / len(kept)
    scored = [pipeline.without_bands().apply(*each) for each in world.inputs]
    truth = world.truth
    judged = truth.judge(Boxes.of([each.kept() for each in kept]))
    return {
        **judged.figures(),
        **harm_by_teacher(world, judged),
        'mAP': mean_precision(truth.average_precision(Boxes.of(scored))),
        'seconds an image': seconds,
        'learned': pipeline.describe_learned(),
    }


def harm_by_teacher(world: World, judged: Any) -> dict[str, Any]:
    """Return the share of kept boxes that are wrong and of a class of each teacher's alone."""
    alone = world.space.owners.sum(axis=1) == 1
    wrong = ~judged.right & alone[judged.labels]
    count = max(len(judged.right), 1)
    owners = world.space.owners[judged.labels]
    shares = (owners & wrong[:, None]).sum(axis=0) / count
    return {'wrong of each teacher': dict(zip(world.space.teachers, shares.tolist(), strict=True))}


def measure_rivals(world: World) -> dict[str, Any]:
    """Measure the rivals."""
    truth = world.truth
    return {
        name: {**each.figures, 'mAP': mean_precision(truth.average_precision(each.boxes))}
        for name, each in rivals(world.inputs, truth, world.space).items()
    }


def measure(cast: Cast, variants: Sequence[str], name: str) -> dict[str, Any]:
    """Measure one world and variants of it; the predictions are there."""
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    spec = WORLDS[name]
    wanted = wanted_by([name], 'useless' in variants)
    looks = cast.looks(spec.pool, 1)
    raw = cast.predictions(wanted, 1) | looks
    pictures = {source: cast.pictures(source) for source in spec.pool}
    world = World.of(spec, raw, pictures)
    steps = pipeline_steps(DEFAULT)
    code = [file_fingerprint(Path(__file__).with_name(f'{file}.py')) for file in MEASURING_FILES]
    made_by = [name, [path.stem for path in cast.paths([*wanted, *looks]).values()], code]
    ours = [steps, LabelPipeline(steps).revisions]
    figures: dict[str, Any] = {'teachers': world.precision_of_teachers(), 'variants': {}}
    for variant in ('', *variants):
        each = varied(world, variant, spec, raw, pictures)
        default, others = (
            cast.work_dir / 'figures' / f'{fingerprint([*made_by, variant, method])}.json'
            for method in (ours, 'rivals')
        )
        figures['variants'][variant] = {
            'default': kept_in(default, partial(measure_default, each, steps)),
            **kept_in(others, partial(measure_rivals, each)),
        }
    if name == TIMED:
        figures['milliseconds'] = measure_time(steps, world.inputs, world.space)
        figures['looks'] = measure_looks(cast, spec.teachers, next(iter(spec.pool)))
    return figures


def varied(
    world: World,
    variant: str,
    spec: WorldSpec,
    raw: Mapping[tuple[str, str], Raw],
    pictures: Mapping[str, Pictures],
) -> World:
    """Return a variant of a world."""
    if variant == 'spoiled':
        return replace(world, inputs=spoil(world.inputs, spec.spoiled, SEED))
    return World.of(spec.with_useless(), raw, pictures) if variant == 'useless' else world


def main() -> int:
    """Measure the worlds, print tables, and check the bars."""
    parser = parser_of(__doc__)
    parser.add_argument('--worlds', nargs='+', default=list(WORLDS), metavar='WORLD')
    parser.add_argument(
        '--variants', nargs='*', default=VARIANTS, choices=VARIANTS, help='default: both'
    )
    parser.add_argument('--students', action='store_true', help='train students, and oracles')
    parser.add_argument('--trace', action='store_true', help='print what the default learned')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results/worlds.json'))
    args = parser.parse_args()

    out = args.out.resolve()
    check_names(args.worlds, WORLDS, 'world')
    cast = Cast.at(args.data, args.cells, args.weights, args.work_dir)
    wanted = wanted_by(args.worlds, 'useless' in args.variants)
    seconds = make_teachers(cast, wanted, args.jobs)
    cast.predictions(wanted, args.jobs)
    cast.looks({source for name in args.worlds for source in WORLDS[name].pool}, args.jobs)
    with ProcessPoolExecutor(args.jobs) as pool:
        found = pool.map(partial(measure, cast, args.variants), args.worlds)
        worlds = dict(zip(args.worlds, found, strict=True))
    for table in tables(worlds):
        console.print(table, width=160)
    if args.trace:
        for name, world in worlds.items():
            for variant, rows in world['variants'].items():
                lines = rows['default']['learned']
                console.print(f'{name} {variant}', *lines, sep='\n  ', markup=False)
    trained = {name: cast.shop.origin(name) for name in RECIPES if cast.shop.is_made(name)}
    figures: dict[str, Any] = {'worlds': worlds, 'trained on': trained}
    targets = bars(worlds)
    if TIMED in worlds:
        targets |= time_bars(worlds[TIMED]['milliseconds'], worlds[TIMED]['looks'])
    if args.students:
        names = [name for name in RATIOS if name in worlds]
        figures['students'] = Students(cast).reached(names, args.jobs)
        console.print(student_table(figures['students']))
        targets |= student_bars(figures['students'])
    return write_results(out, figures, targets, seconds)


def make_teachers(cast: Cast, wanted: Iterable[tuple[str, str]], jobs: int) -> dict[str, float]:
    """Train the teachers that predict but are not there; return what those took."""
    names = {name for name, _ in wanted}
    cast.shop.train([name for name in RECIPES if name in names], jobs)
    stages = Stages(total=3, logs=cast.work_dir / 'logs')
    if own := ''.join(name[-1] for name in ('voc_a', 'voc_b') if name in names):
        replace(cast.shop.voc, work_dir=VOC_TEACHERS).teachers(own, stages)
    # As some benchmark left them.
    made = [Path(cast.teacher(name)['checkpoint']) for name in ('digits_a', 'digits_b')]
    if names & {'digits_a', 'digits_b'} and not all(path.is_file() for path in made):
        demo.train_teachers(stages, cast.digits)
    return stages.seconds


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
