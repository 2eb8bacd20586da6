"""Look at the other parts of a run: what goes together, evaluators, visualizer, seeds and logs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mmdet.registry import EVALUATOR, LOG_PROCESSORS, METRICS, VISBACKENDS, VISUALIZERS
from mmengine.config import Config

from mmcompose.checks.check_constructors import argument_problems, type_problems, value_problems
from mmcompose.utils import Problem, check_keys, check_types, fault, problem

# What MMEngine's Runner takes together or not at all.
REQUIRED_TOGETHER = (
    ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    ('val_dataloader', 'val_cfg', 'val_evaluator'),
    ('test_dataloader', 'test_cfg', 'test_evaluator'),
)
# Dicts that are arguments of a function.
_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    'randomness': {'seed': int | None, 'diff_rank_seed': bool, 'deterministic': bool},
    'env_cfg': {
        'cudnn_benchmark': bool,
        'mp_cfg': Mapping[str, Any],
        'dist_cfg': Mapping[str, Any],
        'resource_limit': int,
    },
    'auto_scale_lr': {'enable': bool, 'base_batch_size': int},
}


def run_problems(config: Config) -> list[Problem]:
    """Return a problem for each part of a run that is missing or that MMEngine could not build."""
    problems = [each for parts in REQUIRED_TOGETHER for each in _incomplete(config, parts)]
    for name in ('val_evaluator', 'test_evaluator'):
        problems += _evaluator_problems(name, config.get(name))
    problems += _visualizer_problems(config.get('visualizer'))
    for name, types in _ARGUMENTS.items():
        if isinstance(config.get(name), Mapping):
            problems += check_keys(name, config[name], types)
            problems += check_types(name, config[name], types)
    if isinstance(config.get('log_processor'), Mapping):
        processor = {'type': 'LogProcessor', **config.log_processor}
        problems += value_problems('log_processor', processor, LOG_PROCESSORS)
    level = config.get('log_level', 'INFO')
    if isinstance(level, str) and not isinstance(logging.getLevelName(level), int):
        known = list(logging.getLevelNamesMapping())
        problems.append(problem('log_level', level, 'is no level of logging', known))
    return problems


def _incomplete(config: Config, parts: tuple[str, ...]) -> list[Problem]:
    missing = [name for name in parts if config.get(name) is None]
    given = [name for name in parts if name not in missing]
    if not missing or not given:
        return []
    return [fault(n, f'is missing; {" and ".join(given)} cannot do without') for n in missing]


def _evaluator_problems(key: str, evaluator: Any) -> list[Problem]:
    if isinstance(evaluator, (list, tuple)):
        return [
            each
            for number, metric in enumerate(evaluator)
            for each in argument_problems(f'{key}[{number}]', metric, METRICS)
        ]
    if not isinstance(evaluator, Mapping):
        return []
    if evaluator.get('metrics') is None:
        return argument_problems(key, evaluator, METRICS)
    problems = type_problems(key, evaluator, EVALUATOR) if 'type' in evaluator else []
    return problems + _evaluator_problems(f'{key}.metrics', evaluator['metrics'])


def _visualizer_problems(visualizer: Any) -> list[Problem]:
    if not isinstance(visualizer, Mapping) or not visualizer:
        return []
    problems = argument_problems('visualizer', visualizer, VISUALIZERS)
    for number, backend in enumerate(visualizer.get('vis_backends') or ()):
        problems += argument_problems(
            f'visualizer.vis_backends[{number}]', backend, VISBACKENDS, partly=True
        )
    return problems
