"""A value of another kind than a Runner takes is told in one line, whatever looks into it first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmcompose.engine import resolve
from mmcompose.utils import UserError
from tests.engine.toys import student_config


@pytest.fixture
def config(pool: Path, truth: str, tmp_path: Path) -> Config:
    return student_config(pool, truth, tmp_path)


@pytest.mark.parametrize(
    ('key', 'value', 'told'),
    [
        ('custom_hooks', 'EMAHook', "custom_hooks: 'EMAHook' is not a list or None"),
        ('custom_hooks', [3], 'custom_hooks[0]: 3 is not a dict'),
        ('custom_hooks', [{}], 'custom_hooks[0]: {} is no dict of a hook: it names no type'),
        ('custom_hooks', [{'type': 3}], "custom_hooks[0]: {'type': 3} is no dict of a hook"),
        ('val_evaluator', {'metric': 'bbox'}, "val_evaluator: {'metric': 'bbox'} is no dict"),
        (
            'val_evaluator',
            {'metrics': ['bbox']},
            "val_evaluator.metrics[0]: 'bbox' is no dict of a metric",
        ),
        ('default_hooks', [1], 'default_hooks: [1] is not a dict or None'),
        ('train_dataloader', 3, 'train_dataloader: 3 is not a dict or None'),
        ('val_evaluator', 'bbox', "val_evaluator: 'bbox' is not a dict or a list or None"),
        ('param_scheduler', 0.1, 'param_scheduler: 0.1 is not a dict or a list or None'),
        ('default_scope', 3, 'default_scope: 3 is not a string or None'),
        ('work_dir', 3, 'work_dir: 3 is not a string or a path or None'),
        ('load_from', ['a.pth'], "load_from: ['a.pth'] is not a string or None"),
        ('resume', 'yes', "resume: 'yes' is not True or False or None"),
        (
            'train_dataloader.dataset',
            None,
            'train_dataloader.dataset: None is no dict of a dataset',
        ),
        (
            'train_dataloader.dataset',
            {'type': 'ConcatDataset', 'datasets': 3},
            'train_dataloader.dataset.datasets: 3 is not a list',
        ),
        (
            'train_dataloader.dataset',
            {'type': 'ConcatDataset', 'datasets': [{'type': 'CocoDataset', 'pipeline': 3}]},
            'train_dataloader.dataset.datasets[0].pipeline: 3 is not a list',
        ),
        (
            'train_dataloader.dataset.pipeline',
            'Resize',
            "train_dataloader.dataset.pipeline: 'Resize' is not a list",
        ),
        (
            'train_dataloader.dataset.pipeline',
            ['Resize'],
            "train_dataloader.dataset.pipeline[0]: 'Resize' is no dict of a transform",
        ),
    ],
)
def test_a_value_of_another_kind_is_told(config: Config, key: str, value: Any, told: str) -> None:
    *path, last = key.split('.')
    part = config
    for name in path:
        part = part[name]
    part[last] = value
    with pytest.raises(UserError) as raised:
        resolve(config)
    (line,) = raised.value.lines
    assert line.startswith(told)


def test_what_may_be_left_out_may_be_none(config: Config) -> None:
    for name in ('val_dataloader', 'val_evaluator', 'val_cfg', 'custom_hooks', 'load_from'):
        config[name] = None
    assert resolve(config).config.val_dataloader is None


def test_a_path_is_a_work_dir(config: Config, tmp_path: Path) -> None:
    config.work_dir = tmp_path
    assert resolve(config).config.work_dir == tmp_path
