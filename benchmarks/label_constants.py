"""What the constants of the agreement-weighted fusion rest on.

    python benchmarks/label_constants.py --data VOC --weights WEIGHTS

Each of VOC's two teachers is trained again on every second of its photographs, as long as before.
The three teachers, it among them, label the others, which all of them see for the first time, and
are judged on the classes that are annotated there: as they are, and with each of them spoiled in
turn. Weights and trust are learned from the unlabelled pool. Neither val.json nor the pool's truth
is read.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from common import Stages, console, exit_on_mistake, train, write_results
from label_measures import best_owners, gain_by_owners
from label_world import CONFIG, Labelled, Step, World, what_teachers_say
from mmengine.config import Config
from mmengine.logging import MMLogger
from rich.progress import track
from rich.table import Table
from voc_teachers import TEACHER, VOC

from mmcompose.composition import Composition
from mmcompose.engine.read_composition import pool_of
from mmcompose.evaluation import Scores
from mmcompose.utils import write_json

# Twice the epochs of half of the photographs.
EPOCHS = 12
TRAINED_LONGER = {
    'train_cfg.max_epochs': EPOCHS,
    'train_cfg.val_interval': EPOCHS,
    'param_scheduler.1.end': EPOCHS,
    'param_scheduler.1.T_max': EPOCHS,
}
FLOOR: Step = {'type': 'mmcompose.ScoreFilter', 'min_score': 0.01}
FUSION: Step = {'type': 'mmcompose.AgreementWeightedFusion'}
TRIED: list[Step] = [
    *({'sharpness': value} for value in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0)),
    *({'iou_thr': value} for value in (0.55, 0.6, 0.65, 0.7, 0.75)),
]


@dataclass(frozen=True)
class Half:
    """A teacher that was trained on half of its photographs.

    Args:
        teacher: ``'a'`` or ``'b'``.
        seen: Annotation file of the half that it is trained on.
        unseen: Of the other.
        work_dir: Where it is trained.
    """

    teacher: str
    seen: Path
    unseen: Path
    work_dir: Path

    @classmethod
    def of(cls, voc: VOC, teacher: str) -> Half:
        """Write the annotation files of both halves."""
        whole = json.loads((voc.annotations / f'teacher_{teacher}_train.json').read_bytes())
        work_dir = voc.work_dir / 'halves' / f'teacher_{teacher}'
        files = [work_dir.with_name(f'{teacher}_{name}.json') for name in ('seen', 'unseen')]
        for first, file in enumerate(files):
            images = whole['images'][first::2]
            kept = {image['id'] for image in images}
            boxes = [box for box in whole['annotations'] if box['image_id'] in kept]
            write_json('--work-dir', file, {**whole, 'images': images, 'annotations': boxes})
        return cls(teacher, *files, work_dir)

    def train(self, stages: Stages, voc: VOC) -> Path:
        """Train the teacher, and return its checkpoint."""
        return train(
            stages,
            f'fine-tuning teacher {self.teacher} on half of its photographs',
            TEACHER.format(self.teacher),
            self.work_dir,
            [voc.weights, self.seen],
            {'train_dataloader.dataset.ann_file': self.seen, **TRAINED_LONGER},
        )

    def world(self, checkpoint: Path) -> World:
        """Return what the three teachers, it among them, say of the pool and the other half."""
        config = Config.fromfile(CONFIG)
        config.composition.teachers[f'voc_{self.teacher}'].checkpoint = str(checkpoint)
        composition = Composition.from_config(config.composition.to_dict())

        read = Labelled.read(config, composition, str(self.unseen))
        rows = range(len(read.images))
        pool = what_teachers_say(composition, pool_of(config) or ())
        labelled = what_teachers_say(composition, read.images)
        space = composition.class_space.with_coarse
        return World(space, pool, labelled, read.truth, read.infos, (rows, rows))


def alone(world: World) -> dict[str, Scores]:
    """Return what each teacher reaches by itself."""
    return {
        name: world.average_precision([said[name] for said, _ in world.labelled], world.halves[0])
        for name in world.space.teachers
    }


def gains(world: World, by_teacher: Mapping[str, Scores], arguments: Step) -> dict[int, float]:
    """Return points of AP above the best owner, by how many owners classes have."""
    pipeline = world.pipeline([FLOOR, {**FUSION, **arguments}]).fit(lambda: world.pool)
    found = [pipeline.apply(*each) for each in world.labelled]
    fused = world.average_precision(found, world.halves[0])
    chosen = best_owners(by_teacher, world.owners_of)
    return gain_by_owners(fused, by_teacher, chosen, world.owners_of)


def summary(found: Mapping[str, Mapping[int, float]]) -> dict[str, float]:
    """Return means over the worlds as they are and over the spoiled, and the worst of these."""
    spoiled = [each for name, each in found.items() if name.endswith('spoiled')]
    usual = [each for name, each in found.items() if not name.endswith('spoiled')]
    figures = {f'{n} owners': float(np.mean([each[n] for each in usual])) for n in (1, 2, 3)}
    figures |= {
        f'{n} owners, spoiled': float(np.mean([each[n] for each in spoiled])) for n in (1, 2, 3)
    }
    return {**figures, 'the worst, spoiled': min(value for e in spoiled for value in e.values())}


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, default=Path('data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('checkpoints'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/voc'))
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results/label_constants.json'))
    args = parser.parse_args()

    out = args.out.resolve()
    voc = VOC.at(args.data, args.weights, args.work_dir)
    voc.teachers()
    halves = [Half.of(voc, teacher) for teacher in 'ab']
    stages = Stages(total=len(halves), logs=voc.work_dir / 'logs')
    checkpoints = stages.together(*(partial(half.train, stages, voc) for half in halves))
    worlds: dict[str, World] = {}
    for half, checkpoint in zip(halves, checkpoints, strict=True):
        name = f"{half.teacher}'s other half"
        worlds[name] = world = half.world(checkpoint)
        for teacher in world.space.teachers:
            worlds[f'{name}, {teacher} spoiled'] = world.spoiled(teacher)
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    by_teacher = {name: alone(world) for name, world in worlds.items()}
    figures = {}
    for arguments in track(TRIED, 'constants', console=console):
        key = ', '.join(f'{name} {value}' for name, value in arguments.items())
        found = {name: gains(world, by_teacher[name], arguments) for name, world in worlds.items()}
        figures[key] = {**summary(found), 'worlds': found}
    columns = [name for name in next(iter(figures.values())) if name != 'worlds']
    table = Table('', *columns)
    for key, row in figures.items():
        table.add_row(key, *(f'{row[name]:+.2f}' for name in columns))
    console.print(table)
    return write_results(out, figures, {}, stages.seconds)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
