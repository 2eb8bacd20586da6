"""The config that a student starts from, and what a new config takes of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmdet.datasets import MultiImageMixDataset
from mmdet.registry import DATASETS
from mmengine.config import Config

from mmcompose.datasets.wrapping import inner_datasets
from mmcompose.prerequisites import package_folder
from mmcompose.registry import class_of
from mmcompose.teachers import read_config
from mmcompose.teachers.mmdet.config import scope_of
from mmcompose.utils import UserError, problem

_SCOPE = 'mmdet::'
_DATASET = 'train_dataloader.dataset'


@dataclass(frozen=True)
class Mix:
    """A ``MultiImageMixDataset`` of a training set: it gives mosaic and mixup other pictures.

    Args:
        options: Its arguments beside the type, the dataset in it and the pipeline.
        pipeline: How a new config names the pipeline of the pictures in it.
    """

    options: Mapping[str, Any]
    pipeline: str


@dataclass(frozen=True)
class StudentConfig:
    """What a new config takes of the one that its student starts from.

    Args:
        base: The entry of ``_base_``.
        imports: The modules of its ``custom_imports``, none where it has no such key.
        allow_failed_imports: That of its ``custom_imports``.
        mix: What its training set has around the pictures, None where it has none.
        tested: How a new config names the steps that it is tested by, None where no data loader
            has them.
    """

    base: str
    imports: Sequence[str] = ()
    allow_failed_imports: bool = False
    mix: Mix | None = None
    tested: str | None = None


def read_student(student: str, out: Path) -> StudentConfig:
    """Read the config that a student starts from.

    Args:
        student: A file, the name of one of MMDetection's configs, or ``package::path.py``.
        out: The config that will name it.

    Raises:
        UserError: If there is no such config, it cannot be read, or no student of pseudo-labels can
            be trained by it alone.
    """
    base = _base(student, out)
    try:
        config = read_config(student if Path(student).is_file() else base)
    except UserError as error:
        raise UserError(*(replace(each, key='student') for each in error.problems)) from error
    if config.get('composition') is not None:
        expected = 'has a composition of its own; name the config of a detector'
        raise UserError(problem('student', student, expected))
    if config.get('train_pipeline') is None:
        expected = (
            'sets no train_pipeline, by which the pictures are learned from; name the config of a '
            'detector that is trained on one labeled set'
        )
        raise UserError(problem('student', student, expected))
    given = config.get('custom_imports') or {}
    imports = given.get('imports') or ()
    return StudentConfig(
        base,
        [imports] if isinstance(imports, str) else list(imports),
        bool(given.get('allow_failed_imports')),
        _mix(config),
        _tested(config),
    )


def _mix(config: Config) -> Mix | None:
    dataset = (config.get('train_dataloader') or {}).get('dataset')
    with scope_of(config):
        for key, each in inner_datasets(_DATASET, dataset, only_sources=True):
            cls = class_of(each, DATASETS) if 'type' in each else None
            if isinstance(cls, type) and issubclass(cls, MultiImageMixDataset):
                break
        else:
            return None
    own = ('type', 'dataset', 'pipeline')
    options = {name: value for name, value in each.items() if name not in own}
    return Mix(options, _pipeline(f'{key}.dataset', each.get('dataset')) or '[]')


def _tested(config: Config) -> str | None:
    for name in ('test_dataloader', 'val_dataloader'):
        if (loader := config.get(name)) is not None:
            return _pipeline(f'{name}.dataset', loader.get('dataset'))
    return None


def _pipeline(key: str, dataset: Any) -> str | None:
    """Return how a new config names the first pipeline in a data set, None where it has none."""
    inside = inner_datasets(key, dataset, only_sources=True)
    return next((f'_base_.{where}.pipeline' for where, part in inside if 'pipeline' in part), None)


def _base(student: str, out: Path) -> str:
    """Return the entry of ``_base_`` that a config has for its student."""
    if Path(student).is_file():
        return os.path.relpath(student, out.absolute().parent)
    scope, mark, _ = student.partition('::')
    if mark and f'{scope}{mark}' != _SCOPE:
        return student
    package = package_folder('mmdet')
    # Importing mmcompose has looked for it.
    assert package is not None
    folder = package / '.mim' / 'configs'
    shipped = {
        path.stem: f'{_SCOPE}{path.relative_to(folder).as_posix()}'
        for path in folder.rglob('*.py')
        if '_base_' not in path.parts
    }
    if student in shipped.values():
        return student
    if student.removesuffix('.py') in shipped:
        return shipped[student.removesuffix('.py')]
    known = shipped.values() if mark else shipped
    raise UserError(problem('student', student, 'is no file and no config of MMDetection', known))
