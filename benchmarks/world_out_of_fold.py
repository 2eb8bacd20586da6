"""Whether a student that was trained on the other half of the pool is worth a vote.

    python benchmarks/world_out_of_fold.py --data VOC --cells BCCD --weights WEIGHTS --jobs 2

needs what `worlds.py` leaves. Each half of a world's pool is labelled by its teachers, a student is
trained on those labels, and predicts on the other half: it knows every class, so it has seen what
each teacher mistakes for its own. As one more owner of every class, with a whole vote and parts of
one; and as a check, by which the default's scores fall where it finds nothing alike: there the
strength and the threshold are the best by the pool's truth.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import Stages, console, exit_on_mistake, tool, write_results
from label_quality import pipeline_steps
from mmengine.logging import MMLogger
from rich.table import Table
from world_data import WORLDS, Raw
from world_measures import Boxes
from world_predictions import DEFAULT, Cast, parser_of
from world_students import STUDENT, Run, Students
from worlds import World, measure_default

from mmcompose.labeling import LabelPipeline
from mmcompose.labeling.compute.sampling import key_hash
from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Detections, iou
from mmcompose.utils import fingerprint

WORLD, SOURCE, NAME = 'strangers', 'voc', 'out of fold'
FOLDS, CHUNK = 2, 32
VOTES = (1.0, 0.5, 0.25, 0.1)
# What a box that the student does not find counts as to it, and to which powers its score is taken.
FOUND_AT, LEAST, POWERS = 0.5, 0.05, (0.1, 0.2, 0.3, 0.5)
THRESHOLDS = np.arange(0.05, 0.6, 0.025)


@dataclass(frozen=True)
class OutOfFold:
    """Students of parts of a world's pool.

    Args:
        students: Of worlds.
    """

    students: Students

    def predictions(self, jobs: int) -> Raw:
        """Return what a student that was not trained on a picture predicts there."""
        cast = self.students.cast
        self.students.write_inputs(WORLD)
        stages = Stages(total=FOLDS, logs=cast.work_dir / 'logs')
        trained = stages.together(
            *(partial(self._train, stages, fold) for fold in range(FOLDS)), width=jobs
        )
        images = cast.pictures(SOURCE).images
        found: dict[str, Detections] = {}
        classes: Sequence[str] = ()
        for fold, checkpoint in enumerate(trained):
            # As the run resolved it, with the student's classes.
            resolved = checkpoint.with_name(self._config(fold).name)
            config = {'config': str(resolved), 'checkpoint': str(checkpoint)}
            teacher = build(TEACHERS, {'type': 'mmcompose.MMDetTeacher', **config}, NAME)
            classes = teacher.classes
            part = [image for image in images if fold_of(image.key) == fold]
            for start in range(0, len(part), CHUNK):
                chunk = part[start : start + CHUNK]
                found |= {i.key: f for i, f in zip(chunk, teacher.predict(chunk), strict=True)}
                for image in chunk:
                    vars(image).pop('pixels', None)
        keys = [image.key for image in images]
        return Raw(keys, [found[key] for key in keys], tuple(classes))

    def _config(self, fold: int) -> Path:
        return self.students.folder / WORLD / f'without_{fold}.py'

    def _train(self, stages: Stages, fold: int) -> Path:
        """Train on all pictures but those of a fold."""
        keys = [image.key for image in self.students.cast.pictures(SOURCE).images]
        config, run = self._config(fold), Run(WORLD, STUDENT, 0)
        listed = config.with_suffix('.txt').resolve()
        listed.write_text(''.join(f'{key}\n' for key in keys if fold_of(key) != fold))
        text = f"""{self.students.config_text(run)}
train_dataloader = dict(dataset=dict(dataset=dict(ann_file={str(listed)!r})))
val_cfg = val_dataloader = val_evaluator = None
"""
        config.write_text(text, encoding='utf-8')
        folder = self.students.cast.work_dir / 'training' / f'{WORLD}_without_{fold}'
        last = folder / f'epoch_{self.students.epochs}.pth'
        made_by = fingerprint([self.students.made_by(run), FOLDS, fold])
        command = tool('train', config, '--work-dir', folder)
        stages.run(f'training {WORLD} without {fold}', command, last, made_by, resume=True)
        return last


def fold_of(key: str) -> int:
    """Return the part of the pool that a picture is of."""
    return key_hash(f'{NAME} {key}') % FOLDS


def checked(found: Detections, by: Detections, power: float) -> Detections:
    """Return boxes whose score falls where a student finds nothing alike."""
    support = np.zeros(len(found))
    if len(found) and len(by):
        alike = iou(found.boxes, by.boxes) >= FOUND_AT
        alike &= found.labels[:, None] == by.labels
        support = (alike * by.scores).max(axis=1)
    scores = found.scores * np.maximum(support, LEAST) ** power
    return found.with_fields(scores=scores.astype(np.float32))


def best_f1(world: World, scored: Sequence[Detections]) -> dict[str, float]:
    """Return the macro F1 at the common threshold that is best by the pool's truth."""
    truth = world.truth
    f1 = {
        float(least): truth.judge(Boxes.of([f[f.scores >= least] for f in scored])).figures()['f1']
        for least in THRESHOLDS
    }
    best = max(f1, key=lambda least: f1[least])
    return {'f1': f1[best], 'threshold': best}


def measure(cast: Cast, student: Raw) -> dict[str, Any]:
    """Measure a world without the student, with its votes, and with its checks."""
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    spec, steps = WORLDS[WORLD], pipeline_steps(DEFAULT)
    pictures = {SOURCE: cast.pictures(SOURCE)}
    raw = cast.predictions([(name, SOURCE) for name in spec.teachers], 1)
    raw |= cast.looks([SOURCE], 1) | {(NAME, SOURCE): student}
    alone = World.of(spec, raw, pictures)
    world = World.of(replace(spec, teachers=(*spec.teachers, NAME)), raw, pictures)
    figures: dict[str, Any] = {
        'AP of teachers': world.precision_of_teachers(),
        'without': measure_default(alone, steps),
    }
    for vote in VOTES:
        weights = np.array([1.0] * len(spec.teachers) + [vote])
        pipeline = LabelPipeline(steps).bind(world.space.with_coarse, weights)
        pipeline = pipeline.fit(lambda: world.inputs)
        kept = Boxes.of([pipeline.apply(*each).kept() for each in world.inputs])
        figures[f'one more owner, {vote:g} of a vote'] = world.truth.judge(kept).figures()
    pipeline = LabelPipeline(steps).bind(alone.space.with_coarse, np.ones(len(spec.teachers)))
    pipeline = pipeline.fit(lambda: alone.inputs).without_bands()
    scored = [pipeline.apply(*each) for each in alone.inputs]
    found = [each[NAME] for each, _ in world.inputs]
    figures['the student alone'] = best_f1(alone, found)
    figures['without, one threshold'] = best_f1(alone, scored)
    for power in POWERS:
        each = [checked(*pair, power) for pair in zip(scored, found, strict=True)]
        figures[f'a check, to the power of {power:g}'] = best_f1(alone, each)
    return figures


def main() -> int:
    """Train the students that are missing, measure, and print a table."""
    parser = parser_of(__doc__)
    parser.add_argument(
        '--out', type=Path, default=Path('benchmarks/results/world_out_of_fold.json')
    )
    args = parser.parse_args()

    out = args.out.resolve()
    cast = Cast.at(args.data, args.cells, args.weights, args.work_dir)
    figures = measure(cast, OutOfFold(Students(cast)).predictions(args.jobs))
    table = Table(WORLD, 'F1', 'precision', 'recall')
    for name, row in figures.items():
        if 'f1' in row:
            cells = [f'{row[each]:.3f}' if each in row else '' for each in ('precision', 'recall')]
            table.add_row(name, f'{row["f1"]:.3f}', *cells)
    console.print(table)
    return write_results(out, figures, {})


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
