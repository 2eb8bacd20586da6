"""Look at the parts of a run beside data and model: loops, hooks, optimizer, evaluators."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mmdet.registry import (
    DATA_SAMPLERS,
    EVALUATOR,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    VISUALIZERS,
)
from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.registry import Registry

from mmcompose.checks.check_constructors import argument_problems, type_problems
from mmcompose.checks.checks_config import ChecksConfig
from mmcompose.checks.config_parts import metrics_of
from mmcompose.registry import HOOKS as OWN_HOOKS
from mmcompose.registry import build, class_of, type_name
from mmcompose.utils import Problem, UserError, check_keys, fault, problem

# What MMEngine's Runner takes together or not at all.
REQUIRED_TOGETHER = (
    ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    ('val_dataloader', 'val_cfg', 'val_evaluator'),
    ('test_dataloader', 'test_cfg', 'test_evaluator'),
)
# What is built with arguments of the Runner's own: only the type is looked up.
_TYPES: dict[str, Registry] = {
    'train_cfg': LOOPS,
    'val_cfg': LOOPS,
    'test_cfg': LOOPS,
    'optim_wrapper': OPTIM_WRAPPERS,
    'param_scheduler': PARAM_SCHEDULERS,
    'visualizer': VISUALIZERS,
}


def run_problems(config: Config) -> list[Problem]:
    """Return a problem for each part of a run that is missing or that MMEngine could not build.

    Args:
        config: A resolved config.
    """
    problems = [line for parts in REQUIRED_TOGETHER for line in _incomplete(config, parts)]
    for key, registry in _TYPES.items():
        parts = config.get(key)
        for part in _dicts(_by_optimizer(parts) if key == 'param_scheduler' else parts):
            # Without a type, a loop or optimizer wrapper is MMEngine's own.
            if 'type' in part or key == 'param_scheduler':
                problems += type_problems(key, part, registry)
    wrapper = config.get('optim_wrapper')
    optimizer = wrapper.get('optimizer') if isinstance(wrapper, Mapping) else None
    for part in _dicts(optimizer):
        problems += argument_problems('optim_wrapper.optimizer', part, OPTIMIZERS, partly=True)
    for key in ('val_evaluator', 'test_evaluator'):
        problems += _evaluator_problems(key, config.get(key))
    for name, hook in (config.get('default_hooks') or {}).items():
        problems += _hook_problems(f'default_hooks.{name}', hook, config)
    for hook in config.get('custom_hooks') or ():
        problems += _hook_problems('custom_hooks', hook, config)
    return problems


def loader_problems(key: str, loader: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each part of a data loader, but its dataset, that is wrong.

    Args:
        key: Where it stands in the config, for messages.
        loader: Its config.
    """
    problems = []
    for name in ('sampler', 'batch_sampler'):
        for part in _dicts(loader.get(name)):
            problems += argument_problems(f'{key}.{name}', part, DATA_SAMPLERS, partly=True)
    size = loader.get('batch_size', 1)
    if not isinstance(size, int) or size < 1:
        problems.append(problem(f'{key}.batch_size', size, 'is not a number from 1 up'))
    if loader.get('persistent_workers') and not loader.get('num_workers'):
        problems.append(fault(f'{key}.persistent_workers', 'needs num_workers above 0'))
    return problems


def _incomplete(config: Config, parts: tuple[str, ...]) -> list[Problem]:
    missing = [name for name in parts if config.get(name) is None]
    given = [name for name in parts if name not in missing]
    if not missing or not given:
        return []
    expected = f'is missing; {" and ".join(given)} cannot do without'
    return [fault(name, expected) for name in missing]


def _dicts(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the dicts that say what to build: one, or several in a list."""
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _dicts(each)
    elif isinstance(value, Mapping):
        yield value


def _by_optimizer(schedulers: Any) -> Any:
    """Return the schedulers of all optimizers, where a config names them by optimizer."""
    if isinstance(schedulers, Mapping) and 'type' not in schedulers:
        return list(schedulers.values())
    return schedulers


def _evaluator_problems(key: str, evaluator: Any) -> list[Problem]:
    problems = []
    if isinstance(evaluator, Mapping) and evaluator.get('metrics') is not None:
        if 'type' in evaluator:
            problems += type_problems(key, evaluator, EVALUATOR)
        key = f'{key}.metrics'
    for metric in metrics_of(evaluator):
        if isinstance(metric, Mapping):
            problems += argument_problems(key, metric, METRICS)
    return problems


def _hook_problems(key: str, hook: Any, config: Config) -> list[Problem]:
    if not isinstance(hook, Mapping):
        return []
    arguments = {name: value for name, value in hook.items() if name not in ('priority', '_scope_')}
    if problems := argument_problems(key, arguments, HOOKS):
        return problems
    cls = class_of(arguments, HOOKS)
    key = f'{key}.{type_name(arguments)}'
    if OWN_HOOKS.module_dict.get(cls.__name__) is not cls:
        return _passed_on_problems(key, cls, arguments)
    try:
        built = build(OWN_HOOKS, {**arguments, 'type': cls}, key)
        if isinstance(built, ChecksConfig):
            built.check(config)
    except UserError as error:
        return list(error.problems)
    return []


def _passed_on_problems(key: str, cls: Any, arguments: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each argument that one of MMEngine's hooks refuses hours later.

    Some take anything, and pass it on where the average of the weights is made, or a checkpoint.
    """
    if cls not in (EMAHook, CheckpointHook):
        return []
    own = inspect.signature(cls).parameters
    if cls is CheckpointHook:
        # It gives the Runner's `save_checkpoint` each of its arguments already.
        named = [name for name in own if name != 'kwargs']
        return check_keys(key, [name for name in arguments if name != 'type'], named)
    kind = arguments.get('ema_type', own['ema_type'].default)
    average = {name: value for name, value in arguments.items() if name not in own}
    if problems := type_problems(key, {'type': kind}, MODELS):
        return [replace(each, key=f'{key}.ema_type') for each in problems]
    return argument_problems(key, {**average, 'type': kind}, MODELS, partly=True)
