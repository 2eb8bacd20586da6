"""Look at what trains: loops, the optimizer and its wrapper, learning-rate schedules."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from mmdet.registry import LOOPS, OPTIM_WRAPPERS, OPTIMIZERS, PARAM_SCHEDULERS
from mmengine import device
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import Registry
from mmengine.runner.utils import calc_dynamic_intervals

from mmcompose.checks.check_constructors import build_problems, value_problems
from mmcompose.checks.check_optim_constructor import optim_constructor_problems
from mmcompose.registry import class_of
from mmcompose.utils import Count, Problem, check_types, constructor_parameters, problem
from mmcompose.utils.config_tree import walk

# Loops of MMEngine that a dict without a type stands for.
_LOOPS = {
    'train_cfg': ('EpochBasedTrainLoop', 'IterBasedTrainLoop'),
    'val_cfg': ('ValLoop', 'ValLoop'),
    'test_cfg': ('TestLoop', 'TestLoop'),
}
_COUNTS = dict.fromkeys(('max_epochs', 'max_iters', 'val_interval'), Count)
# Annotated by MMEngine otherwise than it takes them.
_AMP_TYPES: Mapping[str, Any] = {
    'loss_scale': Literal['dynamic'] | float | Mapping[str, Any],
    'dtype': Literal[AmpOptimWrapper.valid_dtypes] | None,
}
# What the optimizer wrapper's constructor takes itself.
_BY_CONSTRUCTOR = ('optimizer', 'paramwise_cfg', 'constructor')


def training_problems(config: Config) -> list[Problem]:
    """Return a problem for each loop, optimizer or schedule that MMEngine could not build."""
    problems = [each for name in _LOOPS for each in _loop_problems(name, config.get(name))]
    wrapper = config.get('optim_wrapper')
    if not isinstance(wrapper, Mapping):
        return problems
    key = 'optim_wrapper.optimizer'
    optimizer: Any = wrapper.get('optimizer')
    # A constructor may take one for each part of the model, and keys of its own.
    is_plain = wrapper.get('constructor') is None
    if optimizer is None and is_plain:
        return problems
    wrong = []
    if is_plain or (isinstance(optimizer, Mapping) and 'type' in optimizer):
        wrong += value_problems(key, optimizer, OPTIMIZERS) or build_problems(
            key, optimizer, _optimizer
        )
    if is_plain:
        wrong += _wrapper_problems(wrapper)
    if not wrong:
        wrong += optim_constructor_problems(buildable(wrapper))
        for where, scheduler in schedulers(config):
            wrong += _scheduler_problems(where, scheduler)
    return problems + wrong


def schedulers(config: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the learning-rate schedules of a config, also where each optimizer has its own."""
    given = config.get('param_scheduler')
    named = isinstance(given, Mapping) and 'type' not in given
    for key, scheduler in walk(given, 'param_scheduler'):
        if not (named and scheduler is given):
            yield key, scheduler


def _loop_problems(key: str, loop: Any) -> list[Problem]:
    if not isinstance(loop, Mapping):
        return []
    by_epoch, by_iteration = _LOOPS[key]
    named = {name: value for name, value in loop.items() if name != 'by_epoch'}
    if 'type' not in loop:
        named['type'] = by_epoch if loop.get('by_epoch', True) else by_iteration
    problems = value_problems(key, named, LOOPS) or check_types(key, loop, _COUNTS)
    return problems or _interval_problems(key, loop.get('dynamic_intervals'))


def _interval_problems(key: str, intervals: Any) -> list[Problem]:
    try:
        calc_dynamic_intervals(1, intervals)
    # How MMEngine refuses them when training begins.
    except (AssertionError, IndexError):
        expected = 'is no list of tuples of a milestone and an interval'
        return [problem(f'{key}.dynamic_intervals', intervals, expected)]
    return []


def _optimizer(config: dict[str, Any]) -> Any:
    return OPTIMIZERS.build({**config, 'params': [torch.nn.Parameter(torch.zeros(1))]})


def device_problems(config: Config) -> list[Problem]:
    """Return a problem if a config trains on a device of a kind that this machine lacks."""
    wrapper = config.get('optim_wrapper')
    if not isinstance(wrapper, Mapping) or not _is_amp(wrapper) or _has_amp_device():
        return []
    expected = 'trains on a GPU, NPU, MLU or MUSA device alone, and this machine has none'
    return [problem('optim_wrapper.type', wrapper['type'], expected)]


def _is_amp(wrapper: Mapping[str, Any]) -> bool:
    cls = class_of({'type': 'OptimWrapper', **wrapper}, OPTIM_WRAPPERS)
    return isinstance(cls, type) and issubclass(cls, AmpOptimWrapper)


def _has_amp_device() -> bool:
    """Return whether this machine has a device for which MMEngine has mixed precision."""
    return bool(
        device.is_cuda_available()
        or device.is_npu_available()
        or device.is_mlu_available()
        or device.is_musa_available()
    )


def _wrapper_problems(wrapper: Mapping[str, Any]) -> list[Problem]:
    own = {name: value for name, value in wrapper.items() if name not in _BY_CONSTRUCTOR}
    own.setdefault('type', 'OptimWrapper')
    key, is_amp = 'optim_wrapper', _is_amp(own)
    problems = value_problems(key, own, OPTIM_WRAPPERS, tuple(_AMP_TYPES) if is_amp else ())
    if is_amp:
        plain = {name: each for name, each in own.items() if not isinstance(each, torch.dtype)}
        problems += check_types(key, plain, _AMP_TYPES)
    return problems or build_problems(key, buildable(own), _wrapper)


def buildable(wrapper: Mapping[str, Any]) -> dict[str, Any]:
    """Return a wrapper's config, or what one of mixed precision hands on where no device has it."""
    if not _is_amp(wrapper) or _has_amp_device():
        return dict(wrapper)
    taken = (*_BY_CONSTRUCTOR, *constructor_parameters(OptimWrapper))
    handed_on = {name: value for name, value in wrapper.items() if name in taken}
    return {**handed_on, 'type': 'OptimWrapper'}


def _wrapper(config: dict[str, Any]) -> Any:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    return OPTIM_WRAPPERS.build({**copy.deepcopy(config), 'optimizer': optimizer})


def _scheduler_problems(key: str, scheduler: Mapping[str, Any]) -> list[Problem]:
    own = {name: each for name, each in scheduler.items() if name != 'convert_to_iter_based'}
    registry: Registry = PARAM_SCHEDULERS
    return value_problems(key, own, registry) or build_problems(key, own, _scheduler)


def _scheduler(config: dict[str, Any]) -> Any:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    return PARAM_SCHEDULERS.build({**copy.deepcopy(config), 'optimizer': optimizer})
