"""Students of some worlds of `worlds.py`, each beside its oracles: as many steps, other labels.

    python benchmarks/world_students.py --data VOC --cells BCCD --weights WEIGHTS --jobs 2

trains those that are missing; `worlds.py --students` does so by itself. What a student reached is
kept by all that decides it and by no path, so that those of a machine with a GPU can be copied
into the folder `students` of another's work folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    ROOT,
    Bar,
    Stages,
    console,
    device,
    exit_on_mistake,
    machine,
    tool,
    write_results,
)
from label_quality import pipeline_steps
from rich.table import Table
from world_data import WORLDS, Pictures, Raw
from world_predictions import DEFAULT, Cast, check_names, parser_of
from world_teachers import SCHEDULE

from mmcompose.labeling import LabelPipeline
from mmcompose.structures import Detections
from mmcompose.utils import file_fingerprint, fingerprint, write_json

BASE = 'configs/compose/voc/_base_/student.py'
# What else decides what a student comes to.
CONFIGS = (
    BASE,
    'configs/voc/_base_/yolox-nano_320_voc.py',
    'configs/_base_/models/yolox-nano_320.py',
)
# What a student has to reach of its oracle.
RATIOS = {'strangers': 0.95, 'generalist and specialist': 0.97, 'neighbours': None}
SEEDS = (0, 1, 2)
EPOCHS = 4
# A student begins with the average of its teachers' weights and learns their labels. Its oracle
# learns the true ones and has no teachers; another begins as the student does.
STUDENT, ORACLE, ORACLE_FROM_TEACHERS = ARMS = ('student', 'oracle', 'oracle from teachers')


def results_of(raw: Raw, pictures: Pictures) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return predictions as COCO results, and the images and categories that these speak of."""
    images = [
        {'id': row, 'file_name': image.key, 'width': image.width, 'height': image.height}
        for row, image in enumerate(pictures.images, start=1)
    ]
    categories = [{'id': number, 'name': name} for number, name in enumerate(raw.classes, start=1)]
    results = [
        {'image_id': row, 'category_id': label + 1, 'bbox': box, 'score': score}
        for row, found in enumerate(raw.found, start=1)
        for box, score, label in zip(
            _xywh(found), found.scores.tolist(), found.labels.tolist(), strict=True
        )
    ]
    return {'images': images, 'annotations': [], 'categories': categories}, results


def in_classes(content: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """Return a COCO annotation file with some classes alone, in another order."""
    index = {name: number for number, name in enumerate(classes, start=1)}
    names = {each['id']: each['name'] for each in content['categories']}
    boxes = [
        {**box, 'category_id': index[name]}
        for box in content['annotations']
        if (name := names[box['category_id']]) in index
    ]
    categories = [{'id': number, 'name': name} for name, number in index.items()]
    return {'images': content['images'], 'annotations': boxes, 'categories': categories}


def _xywh(found: Detections) -> list[list[float]]:
    boxes: list[list[float]] = np.hstack(
        [found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]]
    ).tolist()
    return boxes


@dataclass(frozen=True)
class Run:
    """One training.

    Args:
        world: Its name.
        arm: One of ``ARMS``.
        seed: Of all random numbers.
    """

    world: str
    arm: str
    seed: int

    @property
    def slug(self) -> str:
        """Its name as a file's."""
        return f'{self.world}_{self.arm}_{self.seed}'.replace(' ', '_')


@dataclass(frozen=True)
class Students:
    """Trains and scores students and oracles.

    Args:
        cast: Teachers and pictures.
        epochs: Of each training.
    """

    cast: Cast
    epochs: int = EPOCHS

    @property
    def folder(self) -> Path:
        """Where what they reached is kept."""
        return self.cast.work_dir / 'students'

    def reached(self, worlds: Iterable[str], jobs: int) -> dict[str, Any]:
        """Return by world what students and oracles reach; trains those that are missing."""
        runs = [Run(*each) for each in product(worlds, ARMS, SEEDS)]
        missing = [run for run in runs if not self._result(run).is_file()]
        stages = Stages(total=len(missing), logs=self.cast.work_dir / 'logs')
        for name in dict.fromkeys(run.world for run in missing):
            self.write_inputs(name)
        if missing:
            stages.together(*(partial(self._train, stages, run) for run in missing), width=jobs)
        figures: dict[str, Any] = {}
        for run in runs:
            content = json.loads(self._result(run).read_text(encoding='utf-8'))
            figures.setdefault(run.world, {}).setdefault(run.arm, []).append(content)
        return figures

    def made_by(self, run: Run) -> str:
        """Return the fingerprint of all that decides what a run reaches; of no path."""
        spec = WORLDS[run.world]
        labels: list[Any] = [file_fingerprint(self.cast.shop.voc.annotations / 'val.json')]
        if run.arm != ORACLE:
            predictions = self.cast.paths([(n, s) for n in spec.teachers for s in spec.pool])
            labels.append([path.stem for path in predictions.values()])
        if run.arm == STUDENT:
            steps = pipeline_steps(DEFAULT)
            labels += [steps, LabelPipeline(steps).revisions]
        configs = [file_fingerprint(ROOT / path) for path in CONFIGS]
        return fingerprint([asdict(run), asdict(spec), self.epochs, labels, configs])

    def _result(self, run: Run) -> Path:
        return self.folder / f'{run.slug}_{self.made_by(run)}.json'

    def write_inputs(self, name: str) -> None:
        """Write what the teachers predict, and the truth in the student's classes."""
        spec, folder = WORLDS[name], self._inputs(name)
        (source,) = spec.pool
        pictures = self.cast.pictures(source)
        wanted = [(teacher, source) for teacher in spec.teachers]
        for (teacher, _), raw in self.cast.predictions(wanted, 1).items():
            images, results = results_of(raw, pictures)
            write_json('--work-dir', folder / f'{teacher}.images.json', images)
            write_json('--work-dir', folder / f'{teacher}.json', results)
        truth = self.cast.shop.voc.annotations / 'unlabeled_ground_truth.json'
        content = in_classes(json.loads(truth.read_bytes()), spec.classes)
        write_json('--work-dir', folder / 'truth.json', content)

    def _inputs(self, name: str) -> Path:
        return self.folder / name.replace(' ', '_')

    def config_text(self, run: Run) -> str:
        """Return the config of a run."""
        # Relative to the repository, as everywhere: labels that are made are found on any machine.
        spec, folder = WORLDS[run.world], Path(os.path.relpath(self._inputs(run.world), ROOT))
        teachers = {
            name: {
                'type': 'mmcompose.COCOResultsTeacher',
                'results': str(folder / f'{name}.json'),
                'images': str(folder / f'{name}.images.json'),
            }
            for name in spec.teachers
        }
        space = {
            'classes': list(spec.classes),
            'aliases': ['voc-coco'],
            'mapping': {name: dict(each) for name, each in spec.mapping.items()},
            'on_unmapped': 'drop',
        }
        text = f"""_base_ = [{str(ROOT / BASE)!r}]
composition = dict(
    teachers=dict(_delete_=True, **{teachers!r}),
    class_space=dict(_delete_=True, **{space!r}),
    store={str(folder.parent / 'labels')!r},
)
max_epochs = {self.epochs}
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
{SCHEDULE}randomness = dict(seed={run.seed})
"""
        if run.arm != ORACLE:
            hook = {
                'type': 'mmcompose.AverageTeachersHook',
                'teachers': {name: self.cast.teacher(name) for name in spec.teachers},
            }
            text += f'load_from = None\ncustom_hooks = [*_base_.custom_hooks, {hook!r}]\n'
        if run.arm == STUDENT:
            return text
        return f"""{text}
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CocoDataset',
        ann_file={str(folder / 'truth.json')!r},
        data_prefix=dict(img=_base_.voc_root + '/images/'),
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=_base_.train_pipeline,
    )
)
"""

    def _train(self, stages: Stages, run: Run) -> Path:
        folder = self.cast.work_dir / 'training' / run.slug
        config = self._inputs(run.world) / f'{run.slug}.py'
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(self.config_text(run), encoding='utf-8')
        last = folder / f'epoch_{self.epochs}.pth'
        command = tool('train', config, '--work-dir', folder)
        stages.run(f'training {run.slug}', command, last, self.made_by(run), resume=True)
        content = {
            **scores_in(folder),
            'seconds': stages.seconds[f'training {run.slug}'],
            'machine': {**machine(), 'device': device()},
        }
        write_json('--work-dir', self._result(run), content)
        console.print(f'    {run.slug}: mAP {content["mAP"]:.3f}', markup=False)
        return self._result(run)


def scores_in(folder: Path) -> dict[str, float]:
    """Return the last validation's figures of a training's folder."""
    found: dict[str, float] = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text(encoding='utf-8').splitlines():
            logged = json.loads(line)
            if 'coco/bbox_mAP' in logged:
                found = {'mAP': logged['coco/bbox_mAP'], 'AP50': logged['coco/bbox_mAP_50']}
    return found


def mean(runs: Iterable[Mapping[str, Any]]) -> float:
    """Return the mean mAP of runs."""
    return float(np.mean([run['mAP'] for run in runs]))


def student_bars(figures: Mapping[str, Any]) -> dict[str, Bar]:
    """Return what students have to reach of their oracles."""
    return {
        f'{name}: student mAP / {arm} mAP': Bar(mean(arms[STUDENT]) / mean(arms[arm]), ratio)
        for name, arms in figures.items()
        if (ratio := RATIOS[name]) is not None
        for arm in (ORACLE, ORACLE_FROM_TEACHERS)
    }


def student_table(figures: Mapping[str, Any]) -> Table:
    """Return a row a world and arm."""
    table = Table('world', 'arm', 'mAP', 'student / it', f'mAP of seeds {SEEDS}')
    for name, arms in figures.items():
        for arm, runs in arms.items():
            ratio = mean(arms[STUDENT]) / mean(runs)
            seeds = ' '.join(f'{run["mAP"]:.3f}' for run in runs)
            table.add_row(name, arm, f'{mean(runs):.3f}', f'{ratio:.3f}', seeds)
    return table


def main() -> int:
    """Train the students and oracles that are missing, and print what they reach."""
    parser = parser_of(__doc__)
    parser.add_argument('--epochs', type=int, default=EPOCHS)
    parser.add_argument('worlds', nargs='*', help=f'of {", ".join(RATIOS)}; default: all')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results/world_students.json'))
    args = parser.parse_args()

    out = args.out.resolve()
    cast = Cast.at(args.data, args.cells, args.weights, args.work_dir)
    worlds = args.worlds or list(RATIOS)
    check_names(worlds, RATIOS, 'world with students')
    figures = Students(cast, args.epochs).reached(worlds, args.jobs)
    console.print(student_table(figures))
    return write_results(out, figures, student_bars(figures))


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
