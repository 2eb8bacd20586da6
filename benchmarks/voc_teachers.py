"""The two teachers on photographs of Pascal VOC, and their student, which benchmarks share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common import ROOT, Stages, config_text, final_checkpoint, train

from mmcompose.utils import UserError, fault, file_fingerprint, fingerprint

TEACHER = 'configs/voc/yolox-nano_320_voc-{}.py'
# Their student, and that of true labels: names of configs in CONFIGS.
CONFIGS = 'configs/compose/voc'
BOTH_TEACHERS = 'yolox-nano_voc-a_yolox-nano_voc-b_yolox-nano_320_6e'
FROM_TEACHERS = 'yolox-nano_voc-a_yolox-nano_voc-b_average_yolox-nano_320_6e'
ORACLE = 'yolox-nano_voc-oracle_yolox-nano_320_6e'
ORACLE_FROM_TEACHERS = 'yolox-nano_voc-oracle_average_yolox-nano_320_6e'
SCORING = 'yolox-nano_voc-scoring_320'
TRUTH = 'unlabeled_ground_truth'
# By these the configs know where files are.
PLACES = ('VOC_TEACHERS', 'VOC_ROOT', 'YOLOX_NANO_COCO', 'CENTERNET_COCO')


def without_places(text: str) -> str:
    """Return a config's text with names in place of what differs from machine to machine."""
    places = {os.environ[name]: name for name in PLACES if os.environ.get(name)}
    # Longer ones first: one may be the beginning of another.
    for place in sorted(places, key=len, reverse=True):
        text = text.replace(place, f'${places[place]}')
    return text


@dataclass(frozen=True)
class VOC:
    """Where the photographs, the weights and the results are.

    Args:
        annotations: Folder of the COCO jsons.
        weights: The COCO YOLOX-Nano that every model starts from.
        work_dir: Where results go.
    """

    annotations: Path
    weights: Path
    work_dir: Path

    @classmethod
    def at(cls, data: Path, weights: Path, work_dir: Path) -> VOC:
        """Look whether all is there, and tell the configs; goes to the repository's root.

        Args:
            data: Folder of ``annotations`` and ``images``.
            weights: Folder of ``yolox_nano_coco_mmdet.pth``.
            work_dir: Where results go.

        Raises:
            UserError: If a folder or file is missing.
        """
        voc = cls(
            data.resolve() / 'annotations',
            weights.resolve() / 'yolox_nano_coco_mmdet.pth',
            work_dir.resolve(),
        )
        for path in (voc.weights, voc.annotations):
            if not path.exists():
                raise UserError(
                    fault('', f'{path}: is missing; name its folder with --data or --weights')
                )
        # The configs read these; see configs/compose/voc.
        os.environ['VOC_ROOT'] = str(data.resolve())
        os.environ['YOLOX_NANO_COCO'] = str(voc.weights)
        os.environ['VOC_TEACHERS'] = str(voc.work_dir)
        os.chdir(ROOT)
        return voc

    def recipe(self, teacher: str) -> str:
        """Return what makes a teacher, the same on each machine; its weights may differ."""
        inputs = (self.weights, self.annotations / f'teacher_{teacher}_train.json')
        text = without_places(config_text(TEACHER.format(teacher)))
        return fingerprint([text, *(file_fingerprint(path) for path in inputs)])

    def train_teachers(self, stages: Stages, names: str = 'ab') -> list[Path]:
        """Fine-tune teachers side by side, and return their checkpoints."""
        return stages.together(
            *(
                partial(
                    train,
                    stages,
                    f'fine-tuning teacher {name}',
                    TEACHER.format(name),
                    self.work_dir / f'teacher_{name}',
                    [self.weights, self.annotations / f'teacher_{name}_train.json'],
                )
                for name in names
            )
        )

    def teachers(self, names: str = 'ab', stages: Stages | None = None) -> list[Path]:
        """Return the teachers' checkpoints, as some benchmark left them; trains what is missing."""
        made = [
            final_checkpoint(TEACHER.format(name), self.work_dir / f'teacher_{name}')
            for name in names
        ]
        if all(path.is_file() for path in made):
            return made
        stages = stages or Stages(total=len(names), logs=self.work_dir / 'logs')
        return self.train_teachers(stages, names)

    def learned_from(self, teachers: list[Path], pool: str = 'unlabeled') -> list[Path]:
        """Return the files that a student learns from, with its initial weights.

        Args:
            teachers: Checkpoints.
            pool: Name of an annotation file.
        """
        return [self.weights, self.annotations / f'{pool}.json', *teachers]
