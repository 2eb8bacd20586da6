"""Tests of training runs in this process: cold and warm stores, mosaic and mixup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS, DefaultScope
from mmengine.runner import Runner

from mmcompose.datasets import PseudoLabeledDataset, pseudo_labeled
from tests.engine.toys import student_config

ITERATIONS = {'type': 'IterBasedTrainLoop', 'max_iters': 2, 'val_interval': 1000}
STUDENTS = {
    'yolox': 'mmdet::yolox/yolox_s_8xb8-300e_coco.py',
    'rtmdet': 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
}


def _train(config: Config) -> Runner:
    # Two iterations, no validation, and a name of its own among MMEngine's managers.
    config.train_cfg = dict(ITERATIONS)
    for name in ('val_dataloader', 'val_evaluator', 'val_cfg', 'test_dataloader'):
        config[name] = None
    for name in ('test_evaluator', 'test_cfg'):
        config[name] = None
    config.default_hooks.checkpoint = None
    config.experiment_name = Path(config.work_dir).parent.name
    config.pop('visualizer', None)
    runner: Runner = RUNNERS.build(config)
    runner.train()
    return runner


def _losses(work_dir: Path) -> list[dict[str, Any]]:
    (path,) = work_dir.rglob('scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    trained = [line for line in lines if 'loss' in line]
    return [{key: line[key] for key in line if 'loss' in key or key == 'iter'} for line in trained]


def test_a_cold_and_a_warm_store_give_the_same_losses(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    store = str(tmp_path / 'store')
    losses = []
    for name in ('cold', 'warm'):
        config = student_config(pool, truth, tmp_path / name)
        config.composition.store = store
        # A teacher that draws random numbers would move those that the student starts from.
        config.composition.teachers.first.function = 'tests.engine.test_training.see_carelessly'
        assert (tmp_path / 'store').exists() == (name == 'warm')
        _train(config)
        losses.append(_losses(tmp_path / name / 'work'))
    assert losses[0] == losses[1]
    assert len(losses[0]) == 2 and losses[0][0]['loss'] > 0


def see_carelessly(pixels: Any, colours: Any) -> Any:
    """See as the toy teachers do, and disturb every random state on the way."""
    import random

    import numpy as np
    import torch

    from tests.toys import see

    random.random()
    np.random.rand()
    torch.rand(1)
    DefaultScope.get_instance('careless', scope_name='mmengine')
    return see(pixels, colours)


def _mosaic_config(name: str, pool: Path, truth: str, folder: Path) -> Config:
    """Return one of MMDetection's mosaic configs on the toy pool, made tiny."""
    from mmengine.hub import get_config

    toy = student_config(pool, truth, folder)
    base = get_config(STUDENTS[name])
    config = Config({**base.to_dict(), **{
        key: toy[key] for key in ('composition', 'runner_type', 'work_dir', 'custom_imports',
                                  'default_scope', 'log_level', 'randomness')
    }})  # fmt: skip
    config.model.backbone.widen_factor = 0.125
    config.model.backbone.deepen_factor = 0.1
    channels = [32, 64, 128]
    config.model.neck.update(in_channels=channels, out_channels=32, num_csp_blocks=1)
    config.model.bbox_head.update(in_channels=32, feat_channels=32)
    if 'init_cfg' in config.model.backbone:
        config.model.backbone.init_cfg = None
    config.model.data_preprocessor.batch_augments = None
    loader = config.train_dataloader
    loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    outer = loader.dataset
    inner = outer.dataset if 'dataset' in outer else outer
    pipeline = _smaller(outer.pipeline)
    labeled = {
        'type': 'mmcompose.PseudoLabeledDataset',
        'dataset': {'type': 'mmcompose.UnlabeledImages', 'data_prefix': {'img': str(pool)}},
        'pipeline': inner.pipeline if inner is not outer else pipeline,
    }
    loader.dataset = labeled
    if inner is not outer:
        # Mosaic takes other pictures from the dataset; RTMDet's keeps some of its own.
        loader.dataset = {
            'type': 'MultiImageMixDataset',
            'dataset': labeled,
            'pipeline': pipeline,
        }
    config.custom_hooks = []
    config.default_hooks = {'logger': {'type': 'LoggerHook', 'interval': 1}}
    config.param_scheduler = []
    config.load_from = None
    config.optim_wrapper = toy.optim_wrapper
    return config


def _smaller(value: Any) -> Any:
    """Return transforms with every picture size divided by ten."""
    if isinstance(value, dict):
        return {key: _smaller(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and all(isinstance(item, int) and item >= 100 for item in value):
            return (64, 64)
        if len(value) == 2 and all(isinstance(item, int) and item <= -100 for item in value):
            return (-32, -32)
        return type(value)(_smaller(item) for item in value)
    return -32 if isinstance(value, int) and value <= -100 else value


@pytest.mark.parametrize('name', STUDENTS)
def test_a_student_with_mosaic_and_mixup_trains(
    name: str, pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _mosaic_config(name, pool, truth, tmp_path)
    kinds = [step['type'] for step in config.train_dataloader.dataset.pipeline]
    assert any('Mosaic' in kind for kind in kinds) and any('MixUp' in kind for kind in kinds)
    runner = _train(config)
    assert runner.iter == 2
    (labeled,) = pseudo_labeled(runner.train_dataloader.dataset)
    assert isinstance(labeled, PseudoLabeledDataset)
    assert runner.model.bbox_head.num_classes == 3
    assert [line['loss'] > 0 for line in _losses(tmp_path / 'work')] == [True, True]
