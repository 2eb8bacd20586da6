"""Screen ways for the protocol's student to learn better, each for half as long as the protocol.

    python benchmarks/student_recipes.py --data VOC --weights WEIGHTS --device cuda --jobs 13

An arm's figure is its mAP on photographs that are neither val.json's nor the pool's: pictures of
``teacher_b_train.json``, in its 12 classes, which no teacher here has seen; a way is chosen by
that alone, and val.json is scored beside. All train for as many iterations; arms of true labels
stand beside those of the teachers' with the same recipe. What students predict is kept in
``predictions`` of the work folder, by no path: copied from a machine with a GPU, it is scored.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from arms import Arms
from common import (
    ROOT,
    config_text,
    console,
    device,
    exit_on_mistake,
    file_name,
    machine,
    read_config,
    tool,
    train,
    write_results,
)
from label_errors import boxes_of, export
from paper_protocol import CONFIGS, begin
from rich.table import Table
from student_scores import Photographs
from student_ways import write_views
from truth_and_teachers import half_labels
from voc_teachers import TRUTH

from mmcompose.labeling import judge
from mmcompose.labeling.compute.matching import RIGHT, UNJUDGED
from mmcompose.utils import file_fingerprint, fingerprint, write_json

_MORE = 'custom_hooks = [*_base_.custom_hooks, dict(type={!r}, {})]'
_DENSE = _MORE.format('mmcompose.DenseScoresHook', 'teacher=_base_.voc_a, weight=1.0')
_ONLINE = _MORE.format('mmcompose.OnlineTeacherHook', 'begin=max(1, round(450 * _base_.scale))')
_ONLINE_LATER = _MORE.format('mmcompose.OnlineTeacherHook', 'begin=1, least=0.4')
_WEIGHT = 'custom_hooks = [*_base_.custom_hooks[:-1], dict(_base_.custom_hooks[-1], weight={})]'
# By arm: its config, what else it sets, and the arm of true labels that it stands beside.
ARMS: dict[str, tuple[str, str, str]] = {
    'oracle': ('oracle', '', ''),
    'composed': ('composed', '', 'oracle'),
    'features, weight 3': ('features', '', 'oracle'),
    'features, weight 10': ('features', _WEIGHT.format(10.0), 'oracle'),
    'oracle, features': ('oracle_features', '', ''),
    'label agreement': ('agreement', '', 'oracle'),
    'features and label agreement': ('features_agreement', '', 'oracle'),
    'oracle, mosaic and mixup': ('oracle_mosaic', '', ''),
    'composed, mosaic and mixup': ('composed_mosaic', '', 'oracle, mosaic and mixup'),
    'dense scores': ('composed', _DENSE, 'oracle'),
    'online teacher': ('composed', _ONLINE, 'oracle'),
    'composed, longer': ('composed', '', 'oracle'),
    'composed, then an online teacher': ('composed', _ONLINE_LATER, 'oracle'),
    'stored views': ('composed', '', 'oracle'),
    'truth and teachers': ('truth_and_teachers', '', 'oracle'),
    'truth alone': ('truth_alone', '', 'oracle'),
}
# Begin with the student of another arm, and go on for half as long, at a learning rate that leaves
# what it knows.
BEGIN_WITH = {
    'composed, longer': 'composed',
    'composed, then an online teacher': 'composed',
}
GOING_ON = """
load_from = {!r}
max_iters = max(2, round(1125 * _base_.scale))
optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_cfg = dict(max_iters=max_iters, val_begin=1, val_interval=1000000)
"""
# Its labels are those of the pictures' views, which the student sees as they are.
VIEWED, VIEWS = 'stored views', 2
VIEWED_DATA = """
train_dataloader = dict(
    dataset=dict(
        dataset=dict(ann_file={!r}, data_prefix=dict(img={!r})),
        pipeline=[*_base_.train_pipeline[:2], *_base_.train_pipeline[4:]],
    )
)
"""
# Trained with several seeds: how far two runs are apart by themselves.
SEEDED = ('oracle', 'composed', 'features, weight 3')
SCREEN = {'teacher_b_train': 400, 'val': 400}
KEPT, IGNORED = 1.0, 0.4
# In a training's folder, what its student predicts.
PREDICTED = 'predictions.pkl'


@dataclass(frozen=True)
class Recipes:
    """Trains arms, and keeps what their students predict.

    Args:
        protocol: Stages, folders and annotations.
        labels: The COCO json of the labels that all composed arms but VIEWED learn; made once.
        views: That of the views' labels, and the folder of the views.
        scale: Of all trainings.
        locks: Held while an arm is trained, by arm and seed.
    """

    protocol: Arms
    labels: Path
    views: tuple[Path, Path] | None
    scale: float
    locks: dict[tuple[str, int], Lock] = field(default_factory=lambda: defaultdict(Lock))

    @property
    def kept(self) -> Path:
        """Folder of what students predict."""
        return self.protocol.work_dir / 'predictions'

    @property
    def screened(self) -> Path:
        """The file of all photographs that students predict on."""
        return self.protocol.work_dir / 'screened.json'

    def write_inputs(self) -> None:
        """Write the photographs, and the labels as what one teacher predicts."""
        self.kept.mkdir(parents=True, exist_ok=True)
        Photographs(self.protocol.annotations, SCREEN).write(self.screened)
        self._write_labels('', self.labels)
        if self.views:
            self._write_labels('views_', self.views[0])

    def _write_labels(self, kind: str, file: Path) -> None:
        labels = json.loads(file.read_text(encoding='utf-8'))
        results = [
            {
                **{name: box[name] for name in ('image_id', 'category_id', 'bbox')},
                'score': IGNORED if box['iscrowd'] else KEPT,
            }
            for box in labels['annotations']
        ]
        write_json('--work-dir', self._input(f'{kind}results.json'), results, indent=None)
        images = {**labels, 'annotations': []}
        write_json('--work-dir', self._input(f'{kind}images.json'), images, indent=None)

    def _input(self, name: str) -> Path:
        return Path(os.path.relpath(self.protocol.work_dir / name, ROOT))

    def made_by(self, arm: str, seed: int) -> str:
        """Return the fingerprint of all that a user would vary."""
        labels = file_fingerprint(self._labels(arm))
        first = [self.made_by(BEGIN_WITH[arm], seed)] if arm in BEGIN_WITH else []
        return fingerprint([*ARMS[arm], seed, self.scale, SCREEN, labels, *first])

    def _labels(self, arm: str) -> Path:
        if arm != VIEWED:
            return self.labels
        assert self.views is not None
        return self.views[0]

    def predictions(self, arm: str, seed: int) -> Path:
        """Return where an arm's predictions are kept."""
        return self.kept / f'{file_name(arm)}_{seed}_{self.made_by(arm, seed)}.pkl'

    def train(self, arm: str, seed: int) -> Path:
        """Train an arm, let its student predict, and return its predictions."""
        kept = self.predictions(arm, seed)
        if kept.is_file():
            return kept
        trained = self._trained(arm, seed)
        seconds = self.protocol.stages.seconds[_name(arm, seed)]
        about = {'seconds': seconds, 'machine': {**machine(), 'device': device()}}
        write_json('--work-dir', kept.with_suffix('.json'), about)
        shutil.copy(trained.parent / PREDICTED, kept)
        console.print(f'    {_name(arm, seed)}: {seconds:.0f} s', markup=False)
        return kept

    def _trained(self, arm: str, seed: int) -> Path:
        """Train an arm, after that which it begins with, and return its checkpoint."""
        more = ''
        if arm in BEGIN_WITH:
            more = GOING_ON.format(str(self._trained(BEGIN_WITH[arm], seed)))
        folder = self.protocol.work_dir / file_name(_name(arm, seed))
        folder.mkdir(parents=True, exist_ok=True)
        config = folder.with_suffix('.py')
        text = self._config(arm, seed, folder / PREDICTED) + more
        # Two arms side by side may begin with the same one.
        with self.locks[arm, seed]:
            config.write_text(text, encoding='utf-8')
            inputs = [self._labels(arm)]
            return train(self.protocol.stages, _name(arm, seed), config, folder, inputs)

    def _config(self, arm: str, seed: int, predicted: Path) -> str:
        base, more, _ = ARMS[arm]
        kind = 'views_' if arm == VIEWED else ''
        text = f"""_base_ = [{str(ROOT / CONFIGS / base)!r} + '.py']
{more}
randomness = dict(seed={seed})
# Its last weights, averaged, predict.
train_cfg = dict(val_begin=1, val_interval=1000000)
val_dataloader = dict(dataset=dict(ann_file={str(self.screened)!r}))
val_evaluator = dict(_delete_=True, type='DumpDetResults', out_file_path={str(predicted)!r})
"""
        if base.startswith('oracle'):
            return text
        if more.startswith('custom_hooks'):
            imports = "imports=['mmcompose.engine', 'student_ways'], allow_failed_imports=False"
            text += f'custom_imports = dict({imports})\n'
        if arm == VIEWED:
            assert self.views is not None
            text += VIEWED_DATA.format(str(self._input(f'{kind}images.json')), str(self.views[1]))
        return f"""{text}
composition = dict(
    teachers=dict(
        _delete_=True,
        labels=dict(
            type='mmcompose.COCOResultsTeacher',
            results={str(self._input(f'{kind}results.json'))!r},
            images={str(self._input(f'{kind}images.json'))!r},
        ),
    ),
    label_pipeline=[
        dict(type='mmcompose.Concatenate'),
        dict(type='mmcompose.ScoreBands', keep={KEPT - 0.1}, ignore={IGNORED - 0.1}),
    ],
    store={str(self._input(f'{kind}labels'))!r},
)
"""


def _name(arm: str, seed: int) -> str:
    return f'{arm}, seed {seed}'


def runs(arms: list[str], seeds: int) -> Iterator[tuple[str, int]]:
    """Yield arms with their seeds; those from 1 on last."""
    yield from ((arm, 0) for arm in arms)
    yield from ((arm, seed) for seed in range(1, seeds) for arm in arms if arm in SEEDED)


def main() -> int:
    """Train every arm that has not been trained, score all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=Path('data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('checkpoints'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/recipes'))
    parser.add_argument('--labels', type=Path, help='of the pool, where they have been made')
    parser.add_argument('--jobs', type=int, default=2, help='arms side by side')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--scale', type=float, default=0.5, help="of the protocol's iterations")
    parser.add_argument('--seeds', type=int, default=2, help=f'of {", ".join(SEEDED)}')
    parser.add_argument('--no-scores', action='store_true', help='train alone')
    parser.add_argument('--out', default='benchmarks/results/student_recipes.json')
    parser.add_argument('arms', nargs='*', help=f'of {", ".join(ARMS)}; default: all')
    args = parser.parse_args()
    if args.device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    labels, out = args.labels and args.labels.resolve(), Path(args.out).resolve()
    wanted = list(runs(args.arms or list(ARMS), args.seeds))
    protocol, teachers = begin(args.data, args.weights, args.work_dir, args.scale, len(wanted) + 2)
    # Trainings find what student_ways registers.
    os.environ['PYTHONPATH'] = os.pathsep.join([str(ROOT), str(ROOT / 'benchmarks')])
    views = label_views(protocol, teachers) if (VIEWED, 0) in wanted else None
    recipes = Recipes(protocol, labels or export(protocol, teachers), views, args.scale)
    recipes.write_inputs()
    one, other = half_labels(protocol.annotations, protocol.work_dir, 0)
    # The configs read these.
    os.environ |= {'TRUTH_ONE': str(one), 'TRUTH_OTHER': str(other)}
    trained = protocol.stages.together(
        *(partial(recipes.train, *run) for run in wanted), width=args.jobs
    )
    if args.no_scores:
        return 0
    return report(recipes, dict(zip(wanted, trained, strict=True)), out)


def label_views(protocol: Arms, teachers: list[Path]) -> tuple[Path, Path]:
    """Store views of the pool's pictures, and label them.

    Returns:
        The COCO json of the labels, and the folder of the views.
    """
    config, pool = f'{CONFIGS}/composed.py', protocol.annotations / 'unlabeled.json'
    # Resized and cut as the student's are; its other steps move nothing that a teacher minds.
    load, _, *cut = read_config(config).train_pipeline[:4]
    folder = protocol.work_dir / 'views'
    photographs = protocol.annotations.parent / 'images'
    listed = write_views(pool, photographs, folder, VIEWS, [load, *cut])
    labels, options = folder / 'labels.json', 'train_dataloader.dataset.dataset'
    command = [
        *tool('export', 'labels', config, '--out', labels),
        *('--cfg-options', f'{options}.ann_file={listed}'),
        f'{options}.data_prefix.img={folder / "images"}',
    ]
    made_by = [config_text(config), *map(file_fingerprint, [*teachers, listed])]
    protocol.stages.run('labelling views', command, labels, made_by)
    return labels, folder / 'images'


def report(recipes: Recipes, trained: Mapping[tuple[str, int], Path], out: Path) -> int:
    """Score all arms, print the table and keep it."""
    annotations = recipes.protocol.annotations
    truth = json.loads((annotations / f'{TRUTH}.json').read_text(encoding='utf-8'))
    classes = [each['name'] for each in truth['categories']]
    photographs = Photographs(annotations, SCREEN)
    figures: dict[str, Any] = {}
    for (arm, seed), predictions in trained.items():
        about = json.loads(predictions.with_suffix('.json').read_text(encoding='utf-8'))
        scores = photographs.score(predictions, classes)
        figures.setdefault(arm, []).append({'seed': seed, **scores, **about})
    table = Table('arm', 'screened', 'of its oracle', 'val.json', 'of its oracle', 'seeds')
    for arm, found in figures.items():
        means = {name: statistics.fmean(each[name] for each in found) for name in SCREEN}
        cells = []
        for name, mean in means.items():
            beside = figures.get(ARMS[arm][2])
            ratio = beside and mean / statistics.fmean(each[name] for each in beside)
            cells += [f'{mean:.3f}', f'{ratio:.2f}' if ratio else '']
        table.add_row(arm, *cells, str(len(found)))
    console.print(table)
    labels = how_good(recipes.labels, truth, classes)
    console.print(', '.join(f'{name} of labels {value:.3f}' for name, value in labels.items()))
    return write_results(out, {'arms': figures, 'labels': labels, 'scale': recipes.scale}, {})


def how_good(labels: Path, truth: Mapping[str, Any], classes: list[str]) -> dict[str, float]:
    """Return precision and recall, at IoU 0.5, of the labels that composed arms learn."""
    there = dict(boxes_of(truth, classes))
    right = judged = 0
    for key, found in boxes_of(json.loads(labels.read_text(encoding='utf-8')), classes):
        verdicts = judge(found.kept(), there[key])
        right += int((verdicts == RIGHT).sum())
        judged += int((verdicts != UNJUDGED).sum())
    objects = sum(len(each.kept()) for each in there.values())
    return {'precision': right / judged, 'recall': right / objects}


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
