"""Tests of CompositionRunner: the student it builds, and what a run that fails leaves behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, RUNNERS, DefaultScope
from mmengine.runner import Runner

from mmcompose.engine import CompositionRunner
from mmcompose.utils import UserError, fault
from tests.engine.toys import student_config
from tests.models.weighted_targets.students import SIZE, SSD, samples
from tests.toys import files_below


class MistakeHook(Hook):
    """Find a mistake of the user's at some point of a run."""

    def __init__(self, point: str) -> None:
        setattr(self, point, self._complain)

    def _complain(self, runner: Runner, **_: Any) -> None:
        raise UserError(fault('', 'found late'))


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    HOOKS.register_module(name='MistakeHook', module=MistakeHook, force=True)
    yield
    HOOKS.module_dict.pop('MistakeHook')


def _train(config: Config, mistake: str | None = None, resume: bool = False) -> None:
    config = config.copy()
    config.resume = resume
    config.custom_hooks = [{'type': 'MistakeHook', 'point': mistake}] if mistake else []
    # A resumed run would be a process of its own.
    config.experiment_name = uuid4().hex
    RUNNERS.build(config).train()


@pytest.fixture
def config(pool: Path, truth: str, tmp_path: Path) -> Config:
    config = student_config(pool, truth, tmp_path)
    config.train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': 1, 'val_interval': 1000}
    config.default_hooks.checkpoint = {'type': 'CheckpointHook', 'by_epoch': False, 'interval': 1}
    for part in ('dataloader', 'evaluator', 'cfg'):
        config[f'val_{part}'] = config[f'test_{part}'] = None
    config.pop('visualizer', None)
    return config


def test_a_head_that_mmdet_cannot_decode_is_validated() -> None:
    """MMDet 3.3 reads the loss of a head to decode it; SSD's head has none."""
    decode = {'nms_pre': 10, 'score_thr': 0.0, 'max_per_img': 5, 'min_bbox_size': 0}
    test_cfg = {**decode, 'nms': {'type': 'nms', 'iou_threshold': 0.5}}
    runner = CompositionRunner.__new__(CompositionRunner)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = runner.build_model(ConfigDict({**SSD, 'test_cfg': test_cfg})).eval()
    found = model.predict(torch.rand(2, 3, SIZE, SIZE), samples(), rescale=False)
    assert [len(each.pred_instances) for each in found] == [5, 5]


def test_a_resumed_run_that_makes_no_step_leaves_the_work_dir_as_it_was(config: Config) -> None:
    _train(config)
    work_dir = Path(config.work_dir)
    before = files_below(work_dir)
    assert 'iter_1.pth' in before
    config.train_cfg.max_iters = 2
    # MMEngine names a run's folder by the second: in the same one, both write one log.
    time.sleep(1)
    with pytest.raises(UserError, match='found late'):
        _train(config, 'before_train', resume=True)
    assert files_below(work_dir) == before


def test_a_run_that_made_a_step_keeps_its_log(config: Config) -> None:
    with pytest.raises(UserError, match='found late'):
        _train(config, 'after_train')
    assert any(name.endswith('.log') for name in files_below(Path(config.work_dir)))


def test_a_run_resumes_with_other_labels_only_where_that_is_allowed(config: Config) -> None:
    _train(config)
    config.train_cfg.max_iters = 2
    config.composition.label_pipeline[-1].keep = 0.9
    told = r"^resume: the checkpoint was trained on labels \w+, but .*allow=\['resumed-labels'\]"
    with pytest.raises(UserError, match=told):
        _train(config, resume=True)
    assert not Path(config.work_dir, 'iter_2.pth').exists()
    config.allow = ['resumed-labels']
    _train(config, resume=True)
    assert Path(config.work_dir, 'iter_2.pth').exists()
    # What weights are loaded from may have learned from anything.
    config.load_from, config.work_dir = f'{config.work_dir}/iter_2.pth', f'{config.work_dir}-2'
    config.composition.label_pipeline[-1].keep = 0.8
    config.allow = []
    _train(config)
