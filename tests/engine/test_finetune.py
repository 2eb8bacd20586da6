"""Tests of fine-tuning: its configs, BatchNorm of averaged weights, SoftTeacher's first weights."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS, RUNNERS, DefaultScope
from mmengine.runner import Runner

from mmcompose.datasets import MixedSampler, split_coco
from mmcompose.engine.num_classes import set_num_classes
from mmcompose.teachers.mmdet.model import build_model
from tests import toys
from tests.engine.toys import student_config

CONFIGS = Path(__file__).parents[2] / 'configs' / 'compose' / 'finetune'
ALL = sorted(path.name for path in CONFIGS.glob('*.py'))
SUPERVISED = [name for name in ALL if not name.startswith('soft-teacher')]


class WatchHook(Hook):
    """Keep the model's state after each iteration."""

    # Before EMAHook, which comes after the optimizer's step.
    priority = 'HIGH'

    def __init__(self) -> None:
        self.states: list[dict[str, torch.Tensor]] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Copy it."""
        self.states.append(copy.deepcopy(runner.model.state_dict()))


@pytest.fixture(autouse=True)
def _registered() -> Any:
    HOOKS.register_module(name='WatchHook', module=WatchHook, force=True)
    yield
    HOOKS.module_dict.pop('WatchHook')


def _train(config: Config, iterations: int = 2) -> Runner:
    config.train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': iterations, 'val_interval': 999}
    for name in ('val', 'test'):
        for part in ('dataloader', 'evaluator', 'cfg'):
            config[f'{name}_{part}'] = None
    config.default_hooks = {'logger': {'type': 'LoggerHook', 'interval': 1}}
    config.custom_hooks = [*config.get('custom_hooks', ()), {'type': 'WatchHook'}]
    config.param_scheduler = None
    config.experiment_name = Path(config.work_dir).parent.name
    config.pop('visualizer', None)
    runner: Runner = RUNNERS.build(config)
    runner.train()
    return runner


def _hook(runner: Runner, kind: Any) -> Any:
    return next(hook for hook in runner.hooks if isinstance(hook, kind))


def _read(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Read one of the configs with its files in a folder."""
    for variable in ('DIGITS_DIR', 'VOC_ROOT', 'VOC_SPLITS'):
        monkeypatch.setenv(variable, str(folder))
    monkeypatch.setenv('COMPOSED', str(folder / 'composed.pth'))
    return Config.fromfile(CONFIGS / name)


def _put_toys(config: Config, pool: Path, truth: str, folder: Path) -> Config:
    """Put the toy teachers, pictures and split in place of a config's own; keep all else."""
    (split,) = split_coco(truth, counts=[3], out=folder)
    files = (split.labeled, split.unlabeled)
    for source, file in zip(config.train_dataloader.dataset.datasets, files, strict=True):
        inner = source.dataset if 'dataset' in source else source
        inner.update(ann_file=str(file), data_prefix={'img': str(pool)}, data_root='')
        if 'pool' in source:
            source.pool.update(ann_file=truth, data_prefix={'img': str(pool)})
    batch_size = min(config.train_dataloader.batch_size, 5)
    config.train_dataloader.update(batch_size=batch_size, num_workers=0, persistent_workers=False)
    config.composition = ConfigDict(toys.composition(folder / 'store'))
    config.work_dir = str(folder / 'work')
    config.log_level = 'WARNING'
    return config


@pytest.mark.parametrize('name', SUPERVISED)
def test_a_config_trains_on_both_sources(
    name: str, pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _put_toys(_read(name, tmp_path, monkeypatch), pool, truth, tmp_path)
    config.load_from = None
    runner = _train(config)
    dataset = runner.train_dataloader.dataset
    assert [len(source) for source in dataset.datasets] == [3, 5]
    assert [source.weight for source in dataset.datasets] == [1.0, 0.5]
    assert isinstance(runner.train_dataloader.sampler, MixedSampler)
    assert runner.train_dataloader.sampler.source_ratio == [1, 3]
    kinds = [[type(step).__name__ for step in source.pipeline.transforms]
             for source in dataset.datasets]  # fmt: skip
    assert 'RandAugment' not in kinds[0] and 'RandAugment' in kinds[1]


@pytest.mark.parametrize('name', ALL)
def test_a_config_starts_from_the_composed_student(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _read(name, tmp_path, monkeypatch)
    assert config.load_from.startswith(str(tmp_path))
    kinds = [hook.type for hook in config.custom_hooks]
    # One that starts rows of classes afresh would undo the composition.
    assert 'mmcompose.ClassRowsHook' not in kinds


@pytest.mark.parametrize(('percent', 'fold'), [('1', '1'), ('5', '2')])
@pytest.mark.parametrize('name', ALL)
def test_percent_and_fold_name_the_files(
    name: str, percent: str, fold: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PERCENT', percent)
    monkeypatch.setenv('FOLD', fold)
    labeled, rest = _read(name, tmp_path, monkeypatch).train_dataloader.dataset.datasets
    assert labeled.ann_file.endswith(f'.{fold}@{percent}.json')
    assert rest.get('dataset', rest).ann_file.endswith(f'.{fold}@{percent}-unlabeled.json')


def _with_batch_norm(pool: Path, truth: str, folder: Path, name: str) -> Config:
    """A tiny student whose BatchNorm learns, with the hooks of a fine-tuning config."""
    config = student_config(pool, truth, folder)
    config.model.backbone.norm_eval = False
    config.custom_hooks = Config.fromfile(CONFIGS / name).custom_hooks
    return config


@pytest.mark.parametrize('name', SUPERVISED)
def test_batch_norm_statistics_are_averaged_as_the_weights_are(
    name: str, pool: Path, truth: str, tmp_path: Path
) -> None:
    runner = _train(_with_batch_norm(pool, truth, tmp_path, name), iterations=4)
    ema = _hook(runner, EMAHook).ema_model
    states = _hook(runner, WatchHook).states
    average = {key: value.clone() for key, value in states[0].items()}
    for step, state in enumerate(states[1:], start=1):
        # ExpMomentumEMA: fast at first.
        momentum = (1 - ema.momentum) * math.exp(-(1 + step) / ema.gamma) + ema.momentum
        for key, value in average.items():
            if value.dtype.is_floating_point:
                value.lerp_(state[key], momentum)
    found = ema.module.state_dict()
    statistics = [key for key in average if 'running_' in key]
    assert statistics
    for key, value in average.items():
        if value.dtype.is_floating_point:
            torch.testing.assert_close(found[key], value)
    last = states[-1]
    assert any(not torch.allclose(found[key], last[key], rtol=1e-3) for key in statistics)


def _soft_teacher(pool: Path, truth: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    name = 'soft-teacher_faster-rcnn-r50_voc-coco.py'
    config = _put_toys(_read(name, folder, monkeypatch), pool, truth, folder)
    detector = config.model.detector
    detector.backbone.update(depth=18, base_channels=8, frozen_stages=-1, norm_eval=False,
                             norm_cfg={'type': 'BN'}, init_cfg=None)  # fmt: skip
    detector.neck.update(in_channels=[8, 16, 32, 64], out_channels=8)
    detector.rpn_head.update(in_channels=8, feat_channels=8)
    detector.roi_head.bbox_roi_extractor.out_channels = 8
    detector.roi_head.bbox_head.update(in_channels=8, fc_out_channels=16)
    # An untrained teacher has boxes so thin that jitter turns them inside out: RoIAlign refuses.
    config.model.semi_train_cfg.jitter_scale = 0.0
    _shrink(config.train_dataloader.dataset)
    config.optim_wrapper.optimizer.lr = 0.001
    return config


def _shrink(value: Any) -> None:
    """Let RandomResize keep the toys' size."""
    if isinstance(value, dict):
        if value.get('type') == 'RandomResize':
            value['scale'] = [(96, 64), (96, 64)]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _shrink(each)


def _save_composed(config: Config, path: Path, classes: tuple[str, ...]) -> dict[str, Any]:
    """Save a detector as a composed student's training leaves it."""
    detector = copy.deepcopy(config.model.detector)
    with DefaultScope.overwrite_default_scope('mmdet'):
        set_num_classes(detector, len(classes), MODELS)
    torch.manual_seed(5)
    weights = build_model(Config({'model': detector, 'default_scope': 'mmdet'})).state_dict()
    torch.save({'state_dict': weights, 'meta': {'dataset_meta': {'classes': classes}}}, path)
    return {name: weight.clone() for name, weight in weights.items()}


def test_soft_teacher_is_the_student_that_the_zoos_config_composes() -> None:
    zoo = CONFIGS.parent / 'zoo' / 'faster-rcnn_voc_yolox-s_coco_faster-rcnn-r50-caffe.py'
    composed = Config.fromfile(zoo)
    fine_tuned = Config.fromfile(CONFIGS / 'soft-teacher_faster-rcnn-r50_voc-coco.py')
    assert composed.composition.teachers == fine_tuned.composition.teachers
    for part in ('type', 'backbone', 'neck', 'rpn_head', 'roi_head'):
        assert composed.model[part] == fine_tuned.model.detector[part], part


@pytest.mark.parametrize('kind', ['SoftTeacher', 'SemiBaseDetector'])
def test_a_semi_supervised_detector_starts_from_a_composed_student_in_both_places(
    kind: str, pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _soft_teacher(pool, truth, tmp_path, monkeypatch)
    config.model.type = kind
    if kind == 'SemiBaseDetector':
        # SoftTeacher is of two stages; its base is of any.
        config.model.detector = student_config(pool, truth, tmp_path).model
    composed = _save_composed(config, tmp_path / 'composed.pth', toys.STUDENT)
    config.optim_wrapper.optimizer.lr = 0.0
    config.optim_wrapper.optimizer.weight_decay = 0.0
    runner = _train(config)
    assert runner.iter == 2
    model = runner.model
    for name, weight in composed.items():
        if 'running_' in name or 'num_batches' in name:
            continue
        assert torch.equal(model.student.state_dict()[name], weight), name
        assert torch.allclose(model.teacher.state_dict()[name], weight), name


def test_soft_teacher_takes_rows_of_its_classes_from_a_student_of_others(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _soft_teacher(pool, truth, tmp_path, monkeypatch)
    composed = _save_composed(config, tmp_path / 'composed.pth', ('blue', 'other', 'red', 'green'))
    config.optim_wrapper.optimizer.lr = 0.0
    config.optim_wrapper.optimizer.weight_decay = 0.0
    model = _train(config, iterations=1).model
    old = composed['roi_head.bbox_head.fc_cls.weight']
    for part in (model.student, model.teacher):
        new = part.roi_head.bbox_head.fc_cls.weight
        # green, red, blue, and the background last.
        assert torch.allclose(new, old[[3, 2, 0, 4]])


@pytest.mark.parametrize('skip_buffer', [False, True], ids=['as configured', 'as by default'])
def test_soft_teachers_batch_norm_statistics_are_averaged_as_its_weights_are(
    skip_buffer: bool, pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _soft_teacher(pool, truth, tmp_path, monkeypatch)
    _save_composed(config, tmp_path / 'composed.pth', toys.STUDENT)
    mean_teacher = config.custom_hooks[0]
    assert (mean_teacher.type, mean_teacher.skip_buffer) == ('MeanTeacherHook', False)
    mean_teacher.update(skip_buffer=skip_buffer, momentum=0.25)
    runner = _train(config)
    first, second = _hook(runner, WatchHook).states
    key = 'backbone.bn1.running_mean'
    was = torch.zeros_like(first[f'student.{key}'])
    averaged = was.lerp(first[f'student.{key}'], 0.25).lerp(second[f'student.{key}'], 0.25)
    found = runner.model.teacher.state_dict()[key]
    assert not torch.equal(averaged, was)
    assert torch.allclose(found, was if skip_buffer else averaged, atol=1e-6)
