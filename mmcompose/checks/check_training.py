"""Look at what trains: loops, the optimizer and its wrapper, learning-rate schedules."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmdet.registry import LOOPS, OPTIM_WRAPPERS, OPTIMIZERS, PARAM_SCHEDULERS
from mmengine.config import Config
from mmengine.registry import Registry

from mmcompose.checks.check_constructors import build_problems, value_problems
from mmcompose.utils import Count, Problem, check_types
from mmcompose.utils.config_tree import walk

# Loops of MMEngine that a dict without a type stands for.
_LOOPS = {
    'train_cfg': ('EpochBasedTrainLoop', 'IterBasedTrainLoop'),
    'val_cfg': ('ValLoop', 'ValLoop'),
    'test_cfg': ('TestLoop', 'TestLoop'),
}
_COUNTS = dict.fromkeys(('max_epochs', 'max_iters', 'val_interval'), Count)
# What the optimizer wrapper's constructor takes itself.
_BY_CONSTRUCTOR = ('optimizer', 'paramwise_cfg', 'constructor')


def training_problems(config: Config) -> list[Problem]:
    """Return a problem for each loop, optimizer or schedule that MMEngine could not build."""
    problems = [each for name in _LOOPS for each in _loop_problems(name, config.get(name))]
    wrapper = config.get('optim_wrapper')
    if not isinstance(wrapper, Mapping):
        return problems
    # One optimizer a part of the model: whoever makes it chooses which.
    if wrapper.get('optimizer') is None or wrapper.get('constructor') is not None:
        return problems
    key, optimizer = 'optim_wrapper.optimizer', wrapper['optimizer']
    wrong = value_problems(key, optimizer, OPTIMIZERS) or build_problems(key, optimizer, _optimizer)
    wrong += _wrapper_problems(wrapper)
    if not wrong:
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
    return value_problems(key, named, LOOPS) or check_types(key, loop, _COUNTS)


def _optimizer(config: dict[str, Any]) -> Any:
    return OPTIMIZERS.build({**config, 'params': [torch.nn.Parameter(torch.zeros(1))]})


def _wrapper_problems(wrapper: Mapping[str, Any]) -> list[Problem]:
    own = {name: value for name, value in wrapper.items() if name not in _BY_CONSTRUCTOR}
    own.setdefault('type', 'OptimWrapper')
    key = 'optim_wrapper'
    if problems := value_problems(key, own, OPTIM_WRAPPERS):
        return problems
    return build_problems(key, own, _wrapper)


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
