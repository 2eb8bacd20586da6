"""Tests that prefixed and unprefixed names are found beside each other."""

from __future__ import annotations

import pytest
from mmdet.registry import DATASETS, HOOKS
from mmengine.registry import RUNNERS, DefaultScope

from mmcompose.datasets import UnlabeledImages
from mmcompose.engine import CompositionRunner
from mmcompose.engine.hooks import ClassRowsHook


@pytest.mark.parametrize('before', ['mmengine', 'mmpretrain', 'mmdet'])
def test_prefixed_names_are_found_under_mmdets_scope_whatever_was_used_before(before: str) -> None:
    with DefaultScope.overwrite_default_scope(before):
        DefaultScope.get_instance(f'after-{before}', scope_name=before)
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert DATASETS.get('mmcompose.UnlabeledImages') is UnlabeledImages
        assert HOOKS.get('mmcompose.ClassRowsHook') is ClassRowsHook
        assert RUNNERS.get('mmcompose.CompositionRunner') is CompositionRunner
        assert DATASETS.get('CocoDataset').__name__ == 'CocoDataset'
