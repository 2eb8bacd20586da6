"""The small detectors of `worlds.py`: what each is trained on, and their weights, made once.

    python benchmarks/world_teachers.py --data VOC --cells BCCD --weights WEIGHTS --jobs 2

trains those that are missing; `worlds.py` does so by itself. Weights are addressed by all that
decides them and by no path, so that those trained on a machine with a GPU can be copied into the
folder `teachers` of another's work folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import ROOT, Stages, console, device, exit_on_mistake, machine, tool
from voc_teachers import VOC

from mmcompose.teachers import allow_mmengine_checkpoints
from mmcompose.utils import UserError, fault, file_fingerprint, fingerprint, write_json

BATCH = 16
HEADS = {
    'yolox': 'configs/voc/_base_/voc_teacher.py',
    'atss': 'configs/voc/_base_/voc_teacher_atss.py',
}
# Of `max_epochs`, which a config sets before.
SCHEDULE = """param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.02,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
"""
# Changed where the same recipe would come to other weights.
REVISION = 1

STRANGERS = {
    'fliers': ('aeroplane', 'bird', 'boat'),
    'pets': ('cat', 'dog'),
    'vehicles': ('bus', 'car', 'train'),
    'mounts': ('bicycle', 'cow', 'horse', 'motorbike', 'sheep'),
    'indoors': ('bottle', 'chair', 'diningtable', 'pottedplant', 'sofa', 'tvmonitor'),
}
SPECIALISTS = ('car', 'dog', 'chair', 'cat', 'bird')
# Those that come with another head, too.
OF_ANOTHER_HEAD = ('dog', 'chair')
CELLS = ('RBC', 'WBC', 'Platelets')


@dataclass(frozen=True)
class Recipe:
    """How a teacher is trained, from COCO YOLOX-Nano's weights.

    Args:
        classes: What it knows, in order.
        without: Pictures in which one of these is annotated are left out; what nobody annotated
            may stand in them.
        data: ``'voc'`` for both training sets of VOC's teachers, ``'cells'`` for the blood cells.
        head: One of ``HEADS``.
        steps: How many there are at least; whole epochs, six of them or more.
    """

    classes: tuple[str, ...]
    without: tuple[str, ...] = ()
    data: str = 'voc'
    head: str = 'yolox'
    steps: int = 200


def _apart(groups: Iterable[tuple[str, ...]], **arguments: Any) -> list[Recipe]:
    """Return recipes of teachers that never saw an annotated picture of another's."""
    groups = list(groups)
    return [
        Recipe(own, tuple(name for group in groups if group != own for name in group), **arguments)
        for own in groups
    ]


_OF_ONE_CLASS = [(name,) for name in SPECIALISTS]
RECIPES: dict[str, Recipe] = {
    **dict(zip(STRANGERS, _apart(STRANGERS.values()), strict=True)),
    **dict(zip((f'{n}_only' for n in SPECIALISTS), _apart(_OF_ONE_CLASS), strict=True)),
    **{
        f'{recipe.classes[0]}_atss': recipe
        for recipe in _apart(_OF_ONE_CLASS, head='atss', steps=400)
        if recipe.classes[0] in OF_ANOTHER_HEAD
    },
    'cells': Recipe(CELLS, data='cells', steps=300),
}


def selected(files: Iterable[Mapping[str, Any]], recipe: Recipe) -> dict[str, Any]:
    """Return the pictures that a recipe's teacher is trained on, as one COCO annotation file.

    Args:
        files: The contents of the annotation files to take them from; no image id twice.
        recipe: What to take: pictures with a box of its classes, and none of ``without``.
    """
    wanted = {name: number for number, name in enumerate(recipe.classes, start=1)}
    images: list[Any] = []
    annotations: list[Any] = []
    for content in files:
        names = {each['id']: each['name'] for each in content['categories']}
        of_image: dict[int, list[Any]] = {}
        for box in content['annotations']:
            of_image.setdefault(box['image_id'], []).append(box)
        for image in content['images']:
            boxes = of_image.get(image['id'], [])
            there = {names[box['category_id']] for box in boxes}
            if not there & set(wanted) or there & set(recipe.without):
                continue
            images.append(image)
            annotations += [
                {**box, 'category_id': wanted[name]}
                for box in boxes
                if (name := names[box['category_id']]) in wanted
            ]
    # Ids start at 1, or pycocotools drops a match.
    annotations = [{**box, 'id': number} for number, box in enumerate(annotations, start=1)]
    categories = [{'id': number, 'name': name} for name, number in wanted.items()]
    return {'images': images, 'annotations': annotations, 'categories': categories}


@dataclass(frozen=True)
class TeacherShop:
    """Where the teachers of a benchmark run are kept and trained.

    Args:
        voc: The photographs, the initial weights and the work folder.
        cells: Folder of the blood cells' ``annotations`` and ``images``.
    """

    voc: VOC
    cells: Path

    def weights(self, name: str) -> Path:
        """Return where a teacher's weights are, or are to be."""
        return self.voc.work_dir / 'teachers' / f'{name}.pth'

    def config(self, name: str) -> Path:
        """Return a teacher's config, as :meth:`write` leaves it."""
        return self.voc.work_dir / 'teachers' / f'{name}.py'

    def made_by(self, name: str) -> str:
        """Return the fingerprint of all that decides a teacher's weights; no path is in it."""
        recipe = RECIPES[name]
        content = [asdict(recipe), REVISION, BATCH, file_fingerprint(self.voc.weights)]
        return fingerprint([content, [file_fingerprint(path) for path in self._sources(recipe)]])

    def is_made(self, name: str) -> bool:
        """Return whether a teacher's weights are there, and of this recipe."""
        stamp = self._stamp(name)
        if not (stamp.is_file() and self.weights(name).is_file()):
            return False
        content = json.loads(stamp.read_text(encoding='utf-8'))
        return bool(content['made_by'] == self.made_by(name))

    def origin(self, name: str) -> dict[str, Any]:
        """Return which machine trained a teacher, and how long."""
        content: dict[str, Any] = json.loads(self._stamp(name).read_text(encoding='utf-8'))
        return {key: content[key] for key in ('pictures', 'seconds', 'machine')}

    def train(self, names: Iterable[str], jobs: int = 2) -> None:
        """Train those that are missing, so many at a time."""
        names = list(names)
        missing = [name for name in names if not self.is_made(name)]
        for name in names:
            self.write(name)
        if missing:
            stages = Stages(total=len(missing), logs=self.voc.work_dir / 'logs')
            stages.together(*(partial(self._train, stages, name) for name in missing), width=jobs)

    def write(self, name: str) -> int:
        """Write a teacher's annotation file and config; return how many pictures it learns from."""
        recipe = RECIPES[name]
        files = [json.loads(path.read_bytes()) for path in self._sources(recipe)]
        content = selected(files, recipe)
        ann_file = self.config(name).with_suffix('.json')
        write_json('--work-dir', ann_file, content)
        images = self._folder(recipe) / 'images'
        text = config_text(recipe, ann_file, images, epochs_of(recipe, len(content['images'])))
        self.config(name).write_text(text, encoding='utf-8')
        return len(content['images'])

    def _train(self, stages: Stages, name: str) -> Path:
        pictures = self.write(name)
        folder = self.voc.work_dir / 'training' / name
        last = folder / f'epoch_{epochs_of(RECIPES[name], pictures)}.pth'
        command = tool('train', self.config(name), '--work-dir', folder)
        stages.run(f'training {name}', command, last, self.made_by(name), resume=True)
        publish(last, self.weights(name))
        stamp = {
            'made_by': self.made_by(name),
            'pictures': pictures,
            'seconds': stages.seconds[f'training {name}'],
            'machine': {**machine(), 'device': device()},
        }
        write_json('--work-dir', self._stamp(name), stamp)
        return self.weights(name)

    def _stamp(self, name: str) -> Path:
        return self.weights(name).with_suffix('.stamp.json')

    def _folder(self, recipe: Recipe) -> Path:
        return self.cells if recipe.data == 'cells' else self.voc.annotations.parent

    def _sources(self, recipe: Recipe) -> list[Path]:
        folder = self._folder(recipe) / 'annotations'
        if recipe.data == 'cells':
            return [folder / 'teacher_train.json']
        return [folder / f'teacher_{name}_train.json' for name in 'ab']


def epochs_of(recipe: Recipe, pictures: int) -> int:
    """Return how many whole epochs make at least a recipe's steps, and at least six."""
    steps = max(1, -(-pictures // BATCH))
    return max(6, -(-recipe.steps // steps))


def config_text(recipe: Recipe, ann_file: Path, images: Path, epochs: int) -> str:
    """Return a teacher's config, which inherits all but what is its own."""
    return f"""_base_ = [{str(ROOT / HEADS[recipe.head])!r}]
classes = {recipe.classes!r}
max_epochs = {epochs}
model = dict(bbox_head=dict(num_classes=len(classes)))
train_dataloader = dict(
    batch_size={BATCH},
    dataset=dict(
        ann_file={str(ann_file)!r},
        data_prefix=dict(img={str(images) + '/'!r}),
        metainfo=dict(classes=classes),
    ),
)
test_dataloader = dict(dataset=dict(classes=classes))
val_dataloader = val_cfg = val_evaluator = None
train_cfg = dict(max_epochs=max_epochs)
{SCHEDULE}default_hooks = dict(checkpoint=dict(interval=max(1, max_epochs // 3)))
"""


def publish(checkpoint: Path, out: Path) -> None:
    """Keep of a training's checkpoint what predicts: the weights, and the names of the classes."""
    allow_mmengine_checkpoints()
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    meta = {'dataset_meta': content['meta']['dataset_meta']}
    torch.save({'state_dict': content['state_dict'], 'meta': meta}, out)


def main() -> int:
    """Train the teachers that are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--data', type=Path, default=Path('data/voc'))
    parser.add_argument('--cells', type=Path, default=Path('data/bccd'))
    parser.add_argument('--weights', type=Path, default=Path('checkpoints'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/worlds'))
    parser.add_argument('--jobs', type=int, default=2, help='trainings side by side')
    parser.add_argument('names', nargs='*', help=f'of {", ".join(RECIPES)}; default: all')
    args = parser.parse_args()

    if unknown := set(args.names) - set(RECIPES):
        raise UserError(
            fault(f'{min(unknown)}', f'is no teacher; expected of {", ".join(RECIPES)}')
        )
    cells = args.cells.resolve()
    shop = TeacherShop(VOC.at(args.data, args.weights, args.work_dir), cells)
    names = args.names or list(RECIPES)
    shop.train(names, args.jobs)
    for name in names:
        console.print(name, shop.origin(name), markup=False)
    return 0


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
