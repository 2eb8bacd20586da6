"""What the teachers of `worlds.py` predict on its pictures, made once for each of both.

    python benchmarks/world_predictions.py --data VOC --cells BCCD --weights WEIGHTS strangers

makes what the named worlds lack; `worlds.py` does so by itself. As with the teachers' weights, no
path decides where predictions are kept.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from common import ROOT, Stages, exit_on_mistake, final_checkpoint
from demo import TEACHERS as DIGIT_TEACHERS
from label_quality import pipeline_steps
from rich.progress import track
from voc_teachers import TEACHER, VOC
from world_data import DIGITS, VOC_CLASSES, WORLDS, Pictures, Raw
from world_teachers import CELLS, RECIPES, TeacherShop

from mmcompose.composition.features import Features
from mmcompose.labeling import LabelPipeline
from mmcompose.registry import TEACHERS, build
from mmcompose.teachers import Teacher
from mmcompose.utils import UserError, fault, file_fingerprint, fingerprint

CHUNK = 64
DEFAULT = 'configs/_base_/label_pipelines/default.py'
# Among teachers what looks at pictures for them.
LOOKS = 'looks'
# Where other benchmarks keep the two teachers of VOC.
VOC_TEACHERS = ROOT / 'work_dirs' / 'voc'


@dataclass(frozen=True)
class Cast:
    """All teachers and all pictures of a benchmark run.

    Args:
        shop: The teachers that the worlds have of their own.
        weights: Folder of the COCO detectors.
        digits: The work folder of `demo.py`.
    """

    shop: TeacherShop
    weights: Path
    digits: Path

    @classmethod
    def at(cls, data: Path, cells: Path, weights: Path, work_dir: Path) -> Cast:
        """Look whether all is there, and tell the configs; goes to the repository's root.

        Raises:
            UserError: If a folder or file is missing.
        """
        cells, weights = cells.resolve(), weights.resolve()
        for path in (cells / 'annotations', weights / 'centernet_mobilenetv3_coco.onnx'):
            if not path.exists():
                raise UserError(
                    fault('', f'{path}: is missing; name its folder with --cells or --weights')
                )
        digits = ROOT / 'work_dirs' / 'digits'
        os.environ['DIGITS_DIR'] = os.path.relpath(digits, ROOT)
        return cls(TeacherShop(VOC.at(data, weights, work_dir), cells), weights, digits)

    @property
    def work_dir(self) -> Path:
        """Where results go."""
        return self.shop.voc.work_dir

    def teacher(self, name: str) -> dict[str, Any]:
        """Return a teacher's config dict, as of ``composition.teachers``."""
        if name == 'centernet':
            return {
                'type': 'mmcompose.ONNXTeacher',
                'model': str(self.weights / 'centernet_mobilenetv3_coco.onnx'),
                'classes': 'coco',
                'decode': 'ultralytics',
                'preprocess': {'bgr_to_rgb': True, 'channels_last': True},
            }
        config, checkpoint, options = self._mmdet(name)
        teacher = {'type': 'mmcompose.MMDetTeacher', 'config': config, 'checkpoint': checkpoint}
        return {**teacher, 'cfg_options': options} if options else teacher

    def _mmdet(self, name: str) -> tuple[str, str, dict[str, Any]]:
        kind, _, which = name.partition('_')
        if name in RECIPES:
            return str(self.shop.config(name)), str(self.shop.weights(name)), {}
        if kind == 'coco':
            side = int(which)
            options = {'test_dataloader.dataset.pipeline.1.scale': (side, side)}
            coco = self.weights / 'yolox_nano_coco_mmdet.pth'
            return 'mmdet::yolox/yolox_nano_8xb8-300e_coco.py', str(coco), options
        if kind == 'digits':
            config, folder = DIGIT_TEACHERS[which], self.digits / f'teacher_{which}'
        else:
            config, folder = TEACHER.format(which), VOC_TEACHERS / f'teacher_{which}'
        return config, str(final_checkpoint(config, folder)), {}

    def pictures(self, source: str) -> Pictures:
        """Return the unlabelled pictures of a source, with their truth."""
        if source == 'digits':
            scenes = self.digits / 'scenes'
            truth = scenes / 'annotations' / 'unlabeled_truth.json'
            return Pictures.read(truth, scenes / 'unlabeled', DIGITS)
        cells = source == 'cells'
        root = self.shop.cells if cells else self.shop.voc.annotations.parent
        truth = root / 'annotations' / 'unlabeled_ground_truth.json'
        return Pictures.read(truth, root / 'images', CELLS if cells else VOC_CLASSES)

    @cached_property
    def features(self) -> Features | None:
        """What looks at pictures for the default; None where it does not compare any."""
        return Features.of(LabelPipeline(pipeline_steps(DEFAULT)))

    def open(self, name: str) -> Teacher:
        """Return a teacher, or what looks at pictures; no weights are loaded before it predicts."""
        if name == LOOKS:
            assert self.features is not None
            return self.features.open()
        teacher: Teacher = build(TEACHERS, self.teacher(name), f'teachers.{name}')
        return teacher

    def made_by(self, name: str, pictures: Pictures) -> str:
        """Return the fingerprint of all that decides what a teacher predicts; of no path."""
        keys = [image.key for image in pictures.images]
        if name == LOOKS:
            assert self.features is not None
            return fingerprint([self.features.identity, keys])
        config = self.teacher(name)
        content = {k: v for k, v in config.items() if k not in ('config', 'checkpoint', 'model')}
        content['weights'] = file_fingerprint(config.get('checkpoint') or config['model'])
        content['recipe'] = asdict(RECIPES[name]) if name in RECIPES else None
        return fingerprint([content, keys])

    def path(self, name: str, source: str) -> Path:
        """Return where a teacher's predictions are kept."""
        stamp = self.made_by(name, self.pictures(source))
        return self.work_dir / 'predictions' / f'{name}_{source}_{stamp}.npz'

    def paths(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Path]:
        """Return where predictions are kept, by teacher and source."""
        return {each: self.path(*each) for each in wanted}

    def predictions(self, wanted: Iterable[tuple[str, str]], jobs: int) -> dict[Any, Raw]:
        """Return what teachers predict, by teacher and source; makes what is missing."""
        paths = self.paths(wanted)
        missing = {each: path for each, path in paths.items() if not path.is_file()}
        if missing:
            stages = Stages(total=len(missing), logs=self.work_dir / 'logs')
            stages.together(*(partial(self._run, stages, *each) for each in missing), width=jobs)
        return {each: Raw.load(path) for each, path in paths.items()}

    def looks(self, sources: Iterable[str], jobs: int) -> dict[Any, Raw]:
        """Return what the places of all pictures of sources look like, by name and source."""
        if self.features is None:
            return {}
        return self.predictions([(LOOKS, source) for source in sources], jobs)

    def _run(self, stages: Stages, name: str, source: str) -> Path:
        path = self.path(name, source)
        folders = {
            '--data': self.shop.voc.annotations.parent,
            '--cells': self.shop.cells,
            '--weights': self.weights,
            '--work-dir': self.work_dir,
        }
        arguments = [part for pair in folders.items() for part in pair]
        command = [sys.executable, __file__, *arguments, '--one', name, source]
        stages.run(f'{name} predicts on {source}', command, path, path.name)
        return path

    def predict(self, name: str, source: str) -> None:
        """Let a teacher predict on all pictures of a source."""
        pictures = self.pictures(source)
        teacher = self.open(name)
        found = []
        for start in track(range(0, len(pictures.images), CHUNK), name):
            # Copies, that pixels do not stay in memory.
            chunk = pictures.images[start : start + CHUNK]
            found += teacher.predict(chunk)
            for image in chunk:
                vars(image).pop('pixels', None)
        keys = [image.key for image in pictures.images]
        Raw(keys, found, tuple(teacher.classes)).save(self.path(name, source))


def wanted_by(names: Iterable[str], useless: bool = True) -> dict[tuple[str, str], None]:
    """Return which teachers predict on which sources in worlds, each once, in order.

    Args:
        names: Of the worlds.
        useless: Whether a world's useless teacher is one of them.
    """
    specs = [WORLDS[name].with_useless() if useless else WORLDS[name] for name in names]
    return {
        (teacher, source): None
        for spec in specs
        for teacher in spec.teachers
        for source in spec.pool
    }


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser of the folders that every world needs."""
    parser = argparse.ArgumentParser(description=doc and doc.splitlines()[0])
    parser.add_argument('--data', type=Path, default=Path('data/voc'))
    parser.add_argument('--cells', type=Path, default=Path('data/bccd'))
    parser.add_argument('--weights', type=Path, default=Path('checkpoints'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/worlds'))
    parser.add_argument('--jobs', type=int, default=2, help='processes side by side')
    return parser


def check_names(names: Iterable[str], known: Mapping[str, Any], what: str) -> None:
    """Check that all names are known.

    Raises:
        UserError: If one is not.
    """
    for name in names:
        if name not in known:
            raise UserError(fault(name, f'is no {what}; expected one of {", ".join(known)}'))


def main() -> int:
    """Make the predictions that are missing."""
    parser = parser_of(__doc__)
    parser.add_argument('--one', nargs=2, metavar=('TEACHER', 'SOURCE'), help='in this process')
    parser.add_argument('worlds', nargs='*', help='default: all')
    args = parser.parse_args()

    check_names(args.worlds, WORLDS, 'world')
    cast = Cast.at(args.data, args.cells, args.weights, args.work_dir)
    if args.one:
        cast.predict(*args.one)
    else:
        cast.predictions(wanted_by(args.worlds or WORLDS), args.jobs)
    return 0


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
