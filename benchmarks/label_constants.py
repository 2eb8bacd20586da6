"""What the constants of the agreement-weighted fusion rest on.

    python benchmarks/label_constants.py --data VOC --weights WEIGHTS

Every second photograph that a teacher was trained on is labelled with the classes that it knows.
The other two teachers have not seen it, so what is fused of those two is judged there, once as it
is and once with the COCO teacher spoiled; the teacher that has seen it is left out of the classes
that it shares. Weights and trust are learned from the unlabelled pool. Neither val.json nor the
pool's truth is read.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import console, exit_on_mistake, write_results
from label_measures import best_owners, gain_by_owners
from label_world import CONFIG, Labelled, Said, Step, World
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from rich.progress import track
from rich.table import Table
from voc_teachers import VOC

from mmcompose.class_space import ClassSpace
from mmcompose.composition import Composition
from mmcompose.datasets import images_of
from mmcompose.evaluation import Scores
from mmcompose.labeling import LabelPipeline
from mmcompose.structures import Image

TRAINED = {'voc_a': 'teacher_a_train.json', 'voc_b': 'teacher_b_train.json'}
STRONGEST = 'coco'
FLOOR: Step = {'type': 'mmcompose.ScoreFilter', 'min_score': 0.01}
FUSION: Step = {'type': 'mmcompose.AgreementWeightedFusion'}
TRIED: list[Step] = [
    *({'sharpness': value} for value in (0.0, 1.0, 2.0, 3.0, 4.0)),
    *({'iou_thr': value} for value in (0.55, 0.6, 0.65, 0.7, 0.75)),
]


def read_worlds(voc: VOC) -> dict[str, World]:
    """Return by teacher the images that it was trained on, as the others see them."""
    config = Config.fromfile(CONFIG)
    composition = Composition.from_config(config.composition.to_dict())

    def said(images: Sequence[Image]) -> list[Said]:
        tables = composition.predictions(images)
        return [composition.said(tables, images, row) for row in range(len(images))]

    with DefaultScope.overwrite_default_scope('mmdet'):
        unlabelled = DATASETS.build(dict(config.train_dataloader.dataset.dataset))
    pool = said(images_of(unlabelled))
    worlds = {}
    for teacher, name in TRAINED.items():
        read = Labelled.read(config, composition, str(voc.annotations / name))
        images, infos = read.images[::2], read.infos[::2]
        truth = {image.key: read.truth[image.key] for image in images}
        rows = range(len(images))
        worlds[teacher] = World(pool, without(teacher, said(images)), truth, infos, (rows, rows))
    return worlds


def without(teacher: str, said: Sequence[Said]) -> list[Said]:
    """Take the classes that it shares from a teacher."""
    space = said[0][1].class_space
    alone = space.owners.sum(axis=1) == 1
    known = {
        name: [
            label
            for label, owned, one in zip(space.classes, owns, alone, strict=True)
            if owned and (one or name != teacher)
        ]
        for name, owns in zip(space.teachers, space.owners.T, strict=True)
    }
    fewer = ClassSpace(known, classes=list(space.classes))
    return [
        (
            {n: f[alone[f.labels]] if n == teacher else f for n, f in by_teacher.items()},
            replace(context, class_space=fewer),
        )
        for by_teacher, context in said
    ]


def alone(world: World) -> dict[str, Scores]:
    """Return what each teacher reaches by itself."""
    return {
        name: world.average_precision([said[name] for said, _ in world.labelled], world.halves[0])
        for name in world.labelled[0][1].class_space.teachers
    }


def gain(world: World, by_teacher: Mapping[str, Scores], arguments: Step) -> float:
    """Return points of AP above the better owner, mean over the classes of two owners."""
    pipeline = LabelPipeline([FLOOR, {**FUSION, **arguments}])
    pipeline.fit(lambda: world.pool)
    found = [pipeline.apply(*each) for each in world.labelled]
    fused = world.average_precision(found, world.halves[0])
    chosen = best_owners(by_teacher, world.owners_of)
    return gain_by_owners(fused, by_teacher, chosen, world.owners_of)[2]


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, default=Path('../shared/data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('../shared/weights'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/voc'))
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results/label_constants.json'))
    args = parser.parse_args()

    out = args.out.resolve()
    voc = VOC.at(args.data, args.weights, args.work_dir)
    voc.teachers()
    worlds = {}
    for teacher, world in read_worlds(voc).items():
        worlds[f'without {teacher}'] = world
        worlds[f'without {teacher}, {STRONGEST} spoiled'] = world.spoiled(STRONGEST)
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    by_teacher = {name: alone(world) for name, world in worlds.items()}
    table = Table('', *worlds, 'mean')
    figures: dict[str, dict[str, float]] = {}
    for arguments in track(TRIED, 'constants', console=console):
        key = ', '.join(f'{name} {value}' for name, value in arguments.items())
        gains = {name: gain(world, by_teacher[name], arguments) for name, world in worlds.items()}
        figures[key] = {**gains, 'mean': float(np.mean(list(gains.values())))}
        table.add_row(key, *(f'{value:+.2f}' for value in figures[key].values()))
    console.print(table)
    return write_results(out, figures, {})


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
