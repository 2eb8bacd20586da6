"""Tests of FeatureDistillationHook: a teacher's feature maps reach the student's loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import Tensor

from mmcompose.commands.export_student import export_student
from mmcompose.engine.hooks import FeatureDistillationHook
from mmcompose.models.feature_agreement import unexplained_share
from mmcompose.registry import HOOKS, build
from mmcompose.utils import UserError
from tests.engine.toys import student_config
from tests.teachers.conftest import CLASSES, CONFIG

SIZE = '(96, 64)'
HOOK = {'type': 'mmcompose.FeatureDistillationHook'}


@pytest.fixture
def teacher(tmp_path: Path) -> dict[str, Any]:
    """A detector of other classes, more channels and fewer levels, with random weights."""
    from mmcompose.teachers.mmdet.model import build_model

    path = tmp_path / 'teacher.py'
    text = CONFIG.replace('out_channels=8', 'out_channels=12')
    text = text.replace('in_channels=8,', 'in_channels=12,').replace('num_outs=5', 'num_outs=3')
    path.write_text(text.replace('strides=[8, 16, 32, 64, 128]', 'strides=[8, 16, 32]'))
    torch.manual_seed(1)
    weights = build_model(Config.fromfile(path)).state_dict()
    checkpoint = tmp_path / 'teacher.pth'
    torch.save({'state_dict': weights, 'meta': {'dataset_meta': {'classes': CLASSES}}}, checkpoint)
    return {'type': 'mmcompose.MMDetTeacher', 'config': str(path), 'checkpoint': str(checkpoint)}


def _train(pool: Path, truth: str, folder: Path, hooks: list[Any], steps: int) -> Runner:
    config = student_config(pool, truth, folder, custom_hooks=hooks)
    config.train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': steps, 'val_interval': 1000}
    for name in ('val_dataloader', 'val_evaluator', 'val_cfg'):
        config[name] = None
    config.optim_wrapper.optimizer.lr = 0.02
    config.optim_wrapper.clip_grad = {'max_norm': 1.0}
    config.train_dataloader.sampler = {'type': 'InfiniteSampler', 'shuffle': True}
    config.experiment_name = folder.name
    runner: Runner = RUNNERS.build(config)
    runner.train()
    return runner


def _logged(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.rglob('scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_student_comes_to_hold_what_the_teacher_does(
    pool: Path, truth: str, tmp_path: Path, teacher: dict[str, Any]
) -> None:
    hooks = [{**HOOK, 'teacher': teacher, 'weight': 10.0}]
    runner = _train(pool, truth, tmp_path / 'with', hooks, steps=25)
    losses = [line['loss_features'] for line in _logged(tmp_path / 'with') if 'loss' in line]
    assert len(losses) == 25
    assert 0 < sum(losses[-5:]) < 0.9 * sum(losses[:5])
    # Nothing stays behind, nor goes with the student.
    assert 'loss' not in vars(runner.model)
    (saved,) = (tmp_path / 'with').rglob('*.pth')
    names = torch.load(saved, weights_only=False)['state_dict']
    assert names.keys() == runner.model.state_dict().keys()


def test_a_weight_of_next_to_nothing_changes_next_to_nothing(
    pool: Path, truth: str, tmp_path: Path, teacher: dict[str, Any]
) -> None:
    hooks = [{**HOOK, 'teacher': teacher, 'weight': 1e-9}]
    with_hook = _train(pool, truth, tmp_path / 'with', hooks, steps=3)
    without = _train(pool, truth, tmp_path / 'without', [], steps=3)
    for name, value in without.model.state_dict().items():
        torch.testing.assert_close(with_hook.model.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_each_of_two_teachers_adds_to_the_loss(
    pool: Path, truth: str, tmp_path: Path, teacher: dict[str, Any]
) -> None:
    def first_loss(name: str, *weights: float) -> float:
        hooks = [{**HOOK, 'teacher': teacher, 'weight': weight} for weight in weights]
        runner = _train(pool, truth, tmp_path / name, hooks, steps=1)
        assert 'loss' not in vars(runner.model)
        (logged,) = (each for each in _logged(tmp_path / name) if 'loss_features' in each)
        return float(logged['loss_features'])

    assert first_loss('two', 1.0, 2.0) == pytest.approx(first_loss('one', 3.0), rel=1e-4)


def test_how_far_the_teacher_pads_a_batch_does_not_matter(
    pool: Path, truth: str, tmp_path: Path, teacher: dict[str, Any]
) -> None:
    """Maps that cover more than the pictures would be squeezed onto the student's."""
    text = Path(teacher['config']).read_text()
    assert 'pad_size_divisor=32' in text
    (tmp_path / 'padding.py').write_text(
        text.replace('pad_size_divisor=32', 'pad_size_divisor=256')
    )
    padding = {**teacher, 'config': str(tmp_path / 'padding.py')}
    kept = []
    for name, config in (('as the student', teacher), ('more', padding)):
        hooks = [{**HOOK, 'teacher': config, 'weight': 1.0}]
        seen: list[Tensor] = []
        see = FeatureDistillationHook.before_train_iter

        def watch(
            self: FeatureDistillationHook, *args: Any, seen: list[Tensor] = seen, **named: Any
        ) -> None:
            see(self, *args, **named)
            seen.extend(self._targets)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FeatureDistillationHook, 'before_train_iter', watch)
            _train(pool, truth, tmp_path / name, hooks, steps=1)
        kept.append(seen)
    assert [each.shape for each in kept[0]] == [each.shape for each in kept[1]]
    # Zeros beyond the pictures reach a little into them.
    assert unexplained_share(kept[1][0], kept[0][0]) < 0.2


def test_an_onnx_teacher_teaches_as_the_detector_that_it_was(
    pool: Path, truth: str, tmp_path: Path, teacher: dict[str, Any]
) -> None:
    """Its input has the size that the test pipeline resizes to; here, that of the batch."""
    path = tmp_path / 'sized.py'
    width, height = Config.fromfile(teacher['config']).test_pipeline[1]['scale']
    path.write_text(Path(teacher['config']).read_text().replace(f'({width}, {height})', SIZE))
    checkpoint = torch.load(teacher['checkpoint'], weights_only=False)
    checkpoint['meta']['cfg'] = Config.fromfile(path).pretty_text
    torch.save(checkpoint, tmp_path / 'sized.pth')
    exported = export_student(str(tmp_path / 'sized.pth'))
    steps = []
    for name, config in (
        ('trained', teacher),
        ('exported', {'type': 'mmcompose.ONNXTeacher', 'model': str(exported)}),
    ):
        _train(pool, truth, tmp_path / name, [{**HOOK, 'teacher': config, 'weight': 1.0}], steps=2)
        lines = _logged(tmp_path / name)
        steps.append([line['loss_features'] for line in lines if 'loss_features' in line])
    assert steps[0] == pytest.approx(steps[1], rel=0.02)


def test_mistakes_are_told_before_anything_is_made(tmp_path: Path, teacher: dict[str, Any]) -> None:
    with_neck, without = Config({'model': {'neck': {'type': 'FPN'}}}), Config({'model': {}})
    FeatureDistillationHook(teacher=teacher).check(with_neck)
    with pytest.raises(UserError, match='without a neck'):
        FeatureDistillationHook(teacher=teacher).check(without)
    absent = {**teacher, 'checkpoint': str(tmp_path / 'absent.pth')}
    with pytest.raises(UserError, match=r'^teacher\.checkpoint.*absent'):
        FeatureDistillationHook(teacher=absent).check(with_neck)
    damaged = {'type': 'mmcompose.ONNXTeacher', 'model': str(tmp_path / 'damaged.onnx')}
    Path(damaged['model']).write_bytes(b'no graph')
    hook = FeatureDistillationHook({**damaged, 'classes': ['a'], 'decode': 'yolox'})
    with pytest.raises(UserError, match=r'^teacher\.model: .*damaged.*cannot be loaded'):
        hook.check(with_neck)
    other = {'type': 'mmcompose.FunctionTeacher', 'function': 'json.dumps', 'classes': ['a']}
    with pytest.raises(UserError, match=r'^teacher\.type.*FunctionTeacher.*ONNXTeacher'):
        FeatureDistillationHook(teacher=other).check(with_neck)


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(UserError, match='weight'):
        build(HOOKS, {'type': 'FeatureDistillationHook', 'teacher': {}, 'weight': -1.0}, 'hook')
