"""The shape of a Runner's config: which keys hold dicts, lists of them, or plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

from mmengine.config import Config

from mmcompose.checks.check_composition import comma
from mmcompose.datasets import INNER_DATASETS, inner_datasets
from mmcompose.registry import missing_type
from mmcompose.utils import Problem, check_types, fault, problem

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_Dict = Mapping[str, Any]
# As MMEngine's Runner is annotated, but for objects that no config file can hold.
_SHAPES: Mapping[str, Any] = {
    'model': _Dict,
    'work_dir': str | PathLike | None,
    **dict.fromkeys(LOADERS, _Dict | None),
    **dict.fromkeys(('train_cfg', 'val_cfg', 'test_cfg', 'optim_wrapper'), _Dict | None),
    'param_scheduler': _Dict | Sequence[_Dict] | None,
    **dict.fromkeys(('val_evaluator', 'test_evaluator'), _Dict | Sequence[_Dict] | None),
    'default_hooks': _Dict | None,
    'custom_hooks': Sequence[_Dict] | None,
    'load_from': str | None,
    'resume': bool | None,
    'env_cfg': _Dict,
    'log_processor': _Dict | None,
    'visualizer': _Dict | None,
    'default_scope': str | None,
    'randomness': _Dict,
}


def value_type_problems(config: Config) -> list[Problem]:
    """Return a problem for each value that is of another kind than what is looked for in it."""
    if config.get('model') is None:
        return [fault('model', "is missing; give the student's, or a _base_ that has one")]
    given = {name: value for name, value in config.items() if name in _SHAPES}
    problems = check_types('', given, _SHAPES)
    problems = [replace(p, expected=f'{p.expected}{comma(p.value)}') for p in problems]
    if not problems:
        problems += _missing_types('custom_hooks', config.get('custom_hooks') or (), 'hook')
        for name in ('val_evaluator', 'test_evaluator'):
            problems += _metric_problems(name, config.get(name))
        for name in LOADERS:
            if config.get(name) is not None:
                problems += _dataset_problems(f'{name}.dataset', config[name].get('dataset'))
    return problems


def _metric_problems(key: str, evaluator: Any) -> Iterator[Problem]:
    if isinstance(evaluator, (list, tuple)):
        yield from _missing_types(key, evaluator, 'metric')
    elif isinstance(evaluator, Mapping) and evaluator.get('metrics') is not None:
        yield from _metric_problems(f'{key}.metrics', evaluator['metrics'])
    elif evaluator is not None:
        yield from missing_type(key, evaluator, 'metric')


def _dataset_problems(key: str, dataset: Any) -> Iterator[Problem]:
    """Yield a problem for each dataset, or part of one, that is of another kind."""
    if not isinstance(dataset, Mapping):
        yield from missing_type(key, dataset, 'dataset')
    for where, each in inner_datasets(key, dataset):
        pipeline, parts = each.get('pipeline'), each.get('datasets')
        if isinstance(pipeline, (list, tuple)):
            yield from _missing_types(f'{where}.pipeline', pipeline, 'transform')
        elif pipeline is not None:
            yield problem(f'{where}.pipeline', pipeline, 'is not a list')
        if parts is not None and not isinstance(parts, (list, tuple)):
            yield problem(f'{where}.datasets', parts, 'is not a list')
        for name in INNER_DATASETS:
            # The others need not be there.
            is_given = name in each if name == 'dataset' else each.get(name) is not None
            if name != 'datasets' and is_given and not isinstance(each[name], Mapping):
                yield from missing_type(f'{where}.{name}', each[name], 'dataset')
        for number, part in enumerate(parts if isinstance(parts, (list, tuple)) else ()):
            if not isinstance(part, Mapping):
                yield from missing_type(f'{where}.datasets[{number}]', part, 'dataset')


def _missing_types(key: str, values: Sequence[Any], kind: str) -> Iterator[Problem]:
    for number, value in enumerate(values):
        yield from missing_type(f'{key}[{number}]', value, kind)
