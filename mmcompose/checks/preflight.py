"""Look at what a run reads, builds and writes before anything is made or written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.utils import is_abs

from mmcompose.checks.check_constructors import dataset_problems, model_problems
from mmcompose.checks.check_runner_parts import loader_problems, run_problems
from mmcompose.checks.check_value_types import LOADERS
from mmcompose.datasets import ClassSpaceDataset, UnlabeledImages, annotation_path, dataset_class
from mmcompose.teachers import read_checkpoint
from mmcompose.utils import (
    Mistakes,
    UserError,
    check_writable,
    key_prefix,
    no_file,
    no_folder,
    problem,
)

# What a launcher tells each process that it starts.
LAUNCHER_VARIABLES = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}


def preflight(config: Config) -> None:
    """Check what a run will read and build, and that it can write where it works.

    A Runner would find out one by one, the last of them after all labels are made.

    Args:
        config: A resolved config.

    Raises:
        UserError: With a line for each mistake.
    """
    mistakes = Mistakes()
    for name in LOADERS:
        with mistakes:
            check_loader(config, name)
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmdet'):
        mistakes.add(*model_problems(config), *run_problems(config))
    with mistakes:
        check_checkpoint('load_from', config.get('load_from'))
    with mistakes:
        check_writable('work_dir', config.work_dir, folder=True)
    with mistakes:
        check_launcher(config.get('launcher') or 'none')
    mistakes.raise_if_any()


def check_loader(config: Config, name: str) -> None:
    """Check one data loader's datasets: their arguments, transforms and files.

    Args:
        config: A resolved config.
        name: 'train_dataloader', 'val_dataloader' or 'test_dataloader'; it may be absent.

    Raises:
        UserError: With a line for each mistake.
    """
    if config.get(name) is None:
        return
    mistakes = Mistakes()
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmdet'):
        mistakes.add(*dataset_problems(f'{name}.dataset', config[name].dataset))
        mistakes.add(*loader_problems(name, config[name]))
        mistakes.raise_if_any()
        for dataset in _parts(config[name].dataset):
            with mistakes, key_prefix(name):
                _check_dataset(dataset)
    mistakes.raise_if_any()


def _parts(dataset: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the datasets in a dataset's config that have files of their own."""
    if not isinstance(dataset, Mapping):
        return
    inner = [dataset.get('dataset'), dataset.get('pool'), *dataset.get('datasets', ())]
    if not any(inner) or issubclass(dataset_class(dataset), ClassSpaceDataset):
        yield dataset
        return
    for part in inner:
        yield from _parts(part)


def _check_dataset(dataset: Mapping[str, Any]) -> None:
    cls = dataset_class(dataset)
    if issubclass(cls, ClassSpaceDataset):
        DATASETS.build({**dataset, 'pipeline': []})
        for part in _parts(dataset['dataset']):
            _check_pictures(part)
    elif issubclass(cls, UnlabeledImages):
        DATASETS.build({**dataset, 'pipeline': [], 'lazy_init': True}).check()
    elif issubclass(cls, CocoDataset):
        annotation_path(dataset)
        _check_pictures(dataset)


def _check_pictures(dataset: Mapping[str, Any]) -> None:
    prefix = (dataset.get('data_prefix') or {}).get('img')
    if isinstance(prefix, str):
        root = '' if is_abs(prefix) else dataset.get('data_root') or ''
        folder = os.path.join(root, prefix)
        if folder and '://' not in folder and not Path(folder).is_dir():
            raise UserError(no_folder(f'{dataset["type"]}.data_prefix.img', folder))


def check_checkpoint(key: str, path: str | None) -> None:
    """Check that a file of weights, where one is named, can be read; one at a URL is not asked for.

    Raises:
        UserError: If it is missing, is no checkpoint, or holds more than weights.
    """
    if not path or '://' in path:
        return
    if not Path(path).is_file():
        raise UserError(no_file(key, path))
    try:
        read_checkpoint(path, trust=None)
    except UserError as error:
        raise UserError(*(replace(each, key=key) for each in error.problems)) from error


def check_launcher(launcher: str) -> None:
    """Check that this process was started by the launcher that is named.

    Raises:
        UserError: If it was not; joining its peers would fail, or wait for ever.
    """
    variable = LAUNCHER_VARIABLES.get(launcher)
    if variable is not None and variable not in os.environ:
        expected = f'did not start this process ({variable} is not set)'
        raise UserError(problem('--launcher', launcher, expected))
