"""Tests of what is said of a data loader."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from mmengine.config import ConfigDict
from mmengine.dataset import worker_init_fn
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmcompose.checks.check_loaders import loader_problems

KEY = 'train_dataloader'
SAMPLER = {'type': 'DefaultSampler', 'shuffle': True}


def _told(key: str = KEY, **changes: Any) -> list[str]:
    loader = {'batch_size': 2, 'sampler': SAMPLER, 'dataset': {'type': 'CocoDataset'}, **changes}
    with DefaultScope.overwrite_default_scope('mmdet'):
        return [str(each) for each in loader_problems(key, loader)]


def test_more_workers_than_cores_are_no_matter_of_a_check() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert _told(num_workers=10_000) == []


@pytest.mark.parametrize('batch_sampler', [None, {'type': 'AspectRatioBatchSampler'}])
def test_a_loader_without_a_sampler_is_told(batch_sampler: Any) -> None:
    (line,) = _told(sampler=None, batch_sampler=batch_sampler)
    assert line.startswith('train_dataloader.sampler: is missing; give one')


@pytest.mark.parametrize('key', ['val_dataloader', 'test_dataloader'])
def test_a_loader_of_evaluation_needs_no_sampler(key: str) -> None:
    assert _told(key, sampler=None) == []
    # As a config file has it, which MMEngine reads.
    loader = Runner.build_dataloader(ConfigDict(batch_size=2, dataset=[0, 1, 2]), seed=0)
    assert list(loader.batch_sampler) == [[0, 1], [2]]


def test_a_sampler_that_is_no_dict_is_told() -> None:
    (line,) = _told(sampler='DefaultSampler')
    assert line.startswith("train_dataloader.sampler: 'DefaultSampler' is no dict of a data samp")


def test_only_a_mixed_dataset_with_a_ratio_needs_no_sampler() -> None:
    mixed = {'type': 'mmcompose.MixedDataset', 'datasets': []}
    assert _told(sampler=None, dataset=mixed) != []
    assert _told(sampler=None, dataset={**mixed, 'source_ratio': [1, 3]}) == []


def _seed(worker: int, base: int = 0) -> None:
    """Seed a worker, as a user's own function may."""


@pytest.mark.parametrize(
    'arguments',
    [
        {'multiprocessing_context': 'spawn', 'num_workers': 1},
        {'in_order': False},
        {'disable_subprocess_warning': True},
        {'num_batch_per_epoch': 3},
        {'collate_fn': {'type': 'default_collate'}},
        {'collate_fn': list},
        {'collate_fn': {'type': list}},
        {'worker_init_fn': {'type': _seed, 'base': 3}},
        {'worker_init_fn': {'type': worker_init_fn, 'num_workers': 2, 'rank': 0, 'seed': 1}},
    ],
)
def test_what_mmengine_takes_of_a_loader_is_right(arguments: dict[str, Any]) -> None:
    assert _told(**arguments) == []
    loader = {'batch_size': 2, 'dataset': [0], 'sampler': SAMPLER, **arguments}
    Runner.build_dataloader(loader, seed=0)


def test_an_argument_that_a_function_misses_is_told() -> None:
    (line,) = _told(worker_init_fn={'type': worker_init_fn, 'num_workers': 2, 'rank': 0})
    assert line.endswith("missing a required argument: 'seed'")
