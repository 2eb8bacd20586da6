"""Tests of what is said of a data loader."""

from __future__ import annotations

import warnings

from mmcompose.checks.check_loaders import loader_problems


def test_more_workers_than_cores_are_no_matter_of_a_check() -> None:
    loader = {'batch_size': 2, 'num_workers': 10_000, 'dataset': {}}
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert loader_problems('train_dataloader', loader) == []
