"""Tests of what is told of loops, optimizers and schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, DefaultScope

from mmcompose.checks import check_training, preflight
from mmcompose.checks.check_training import training_problems
from mmcompose.commands.plan import plan
from mmcompose.engine.checked import resolve_checked
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import student_config

AMP = {'type': 'AmpOptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 0.1}}


@pytest.fixture(autouse=True)
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has, look at configs as one that has none."""
    monkeypatch.setattr(check_training, '_has_amp_device', lambda: False)


def _told(**wrapper: Any) -> list[str]:
    with DefaultScope.overwrite_default_scope('mmdet'):
        config = Config({'optim_wrapper': {**AMP, **wrapper}})
        return [str(each) for each in training_problems(config)]


@pytest.mark.parametrize(
    'arguments',
    [
        {},
        {'loss_scale': 512.0},
        {'loss_scale': {'init_scale': 512.0}},
        {'dtype': 'bfloat16', 'accumulative_counts': 2, 'clip_grad': {'max_norm': 35}},
        {'dtype': None},
        {'dtype': torch.bfloat16},
    ],
)
def test_mixed_precision_is_right_where_no_device_has_it(arguments: dict[str, Any]) -> None:
    assert _told(**arguments) == []


@pytest.mark.parametrize(
    ('arguments', 'begins'),
    [
        ({'loss_scale': 'static'}, "optim_wrapper.loss_scale: 'static' is not 'dynamic' or a"),
        ({'dtype': 'float61'}, "optim_wrapper.dtype: 'float61' is not 'float16' or 'bfloat16'"),
        ({'los_scale': 2.0}, "optim_wrapper: 'los_scale' is not a key"),
        ({'accumulative_counts': 0}, 'optim_wrapper.accumulative_counts: 0 is refused'),
    ],
)
def test_its_arguments_are_looked_at_all_the_same(arguments: dict[str, Any], begins: str) -> None:
    (line,) = _told(**arguments)
    assert line.startswith(begins)


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'norm_decay_mult': 0.0, 'bias_lr_mult': 2, 'bypass_duplicate': True},
        {'custom_keys': {'backbone': {'lr_mult': 0.1, 'decay_mult': 0, 'lr': 0.2}}},
    ],
)
def test_options_by_parameter_are_right_where_the_constructor_reads_them(
    options: dict[str, Any],
) -> None:
    optimizer = {'type': 'SGD', 'lr': 0.1, 'weight_decay': 0.0001}
    assert _told(optimizer=optimizer, paramwise_cfg=options) == []


@pytest.mark.parametrize('constructor', [None, 'DefaultOptimWrapperConstructor'])
def test_a_run_without_the_device_is_refused_and_a_plan_warns(
    constructor: str | None,
    pool: Path,
    truth: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(preflight, 'warn', warned.append)
    config = student_config(pool, truth, tmp_path)
    config.optim_wrapper.type = 'AmpOptimWrapper'
    config.optim_wrapper.constructor = constructor
    with pytest.raises(UserError) as caught:
        resolve_checked(config)
    (line,) = caught.value.lines
    assert line.startswith("optim_wrapper.type: 'AmpOptimWrapper' trains on a GPU")
    assert warned == []
    assert plan(config).mistakes == []
    assert warned == [line]


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class CountingConstructor(DefaultOptimWrapperConstructor):  # type: ignore[misc]
    """One of a user's own that looks at the model."""

    seen: ClassVar[list[int]] = []

    def __call__(self, model: Any) -> Any:
        self.seen.append(model.bbox_head.num_classes)
        return super().__call__(model)


def test_a_constructor_of_ones_own_sees_the_model_with_its_classes(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    config.model.bbox_head.pop('num_classes', None)
    config.optim_wrapper.constructor = 'CountingConstructor'
    resolve_checked(config)
    assert CountingConstructor.seen == [len(toys.STUDENT)]
