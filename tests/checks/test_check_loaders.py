"""Tests of what is said of a data loader."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from mmengine.registry import DefaultScope

from mmcompose.checks.check_loaders import loader_problems

KEY = 'train_dataloader'
SAMPLER = {'type': 'DefaultSampler', 'shuffle': True}


def _told(**changes: Any) -> list[str]:
    loader = {'batch_size': 2, 'sampler': SAMPLER, 'dataset': {'type': 'CocoDataset'}, **changes}
    with DefaultScope.overwrite_default_scope('mmdet'):
        return [str(each) for each in loader_problems(KEY, loader)]


def test_more_workers_than_cores_are_no_matter_of_a_check() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert _told(num_workers=10_000) == []


@pytest.mark.parametrize('batch_sampler', [None, {'type': 'AspectRatioBatchSampler'}])
def test_a_loader_without_a_sampler_is_told(batch_sampler: Any) -> None:
    (line,) = _told(sampler=None, batch_sampler=batch_sampler)
    assert line.startswith('train_dataloader.sampler: is missing; give one')


def test_a_sampler_that_is_no_dict_is_told() -> None:
    (line,) = _told(sampler='DefaultSampler')
    assert line.startswith("train_dataloader.sampler: 'DefaultSampler' is no dict of a data sampler")


def test_only_a_mixed_dataset_with_a_ratio_needs_no_sampler() -> None:
    mixed = {'type': 'mmcompose.MixedDataset', 'datasets': []}
    assert _told(sampler=None, dataset=mixed) != []
    assert _told(sampler=None, dataset={**mixed, 'source_ratio': [1, 3]}) == []
