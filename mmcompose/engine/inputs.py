"""Look at a run's input files before anything is made or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmcompose.datasets import ClassSpaceDataset, UnlabeledImages, annotation_path
from mmcompose.engine.resolve import LOADERS, dataset_class
from mmcompose.utils import Mistakes, UserError, check_writable, no_file, under


def check_inputs(config: Config) -> None:
    """Check that the pool has pictures, truths and first weights are there, there is room to work.

    A Runner would find out one by one, the last of them after all labels are made.

    Args:
        config: A resolved config.

    Raises:
        UserError: With a line for each mistake.
    """
    mistakes = Mistakes()
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmdet'):
        for name in LOADERS:
            for dataset in _parts((config.get(name) or {}).get('dataset')):
                with mistakes, under(name):
                    _check_dataset(dataset)
    with mistakes:
        _check_weights(config.get('load_from'))
    with mistakes:
        check_writable('work_dir', config.work_dir)
    mistakes.complain()


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
    elif issubclass(cls, UnlabeledImages):
        DATASETS.build({**dataset, 'pipeline': [], 'lazy_init': True}).check()
    elif issubclass(cls, CocoDataset):
        annotation_path(dataset)


def _check_weights(load_from: str | None) -> None:
    if load_from and '://' not in load_from and not Path(load_from).is_file():
        raise UserError(no_file('load_from', load_from))
