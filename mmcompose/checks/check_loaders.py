"""Look at a data loader beside its datasets: samplers, and what torch's DataLoader takes."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

from mmdet.registry import DATA_SAMPLERS
from mmengine.config import ConfigDict
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader

from mmcompose.checks.check_constructors import build_problems, type_problems, value_problems
from mmcompose.datasets import MixedDataset, dataset_class
from mmcompose.registry import class_of, missing_type
from mmcompose.utils import Count, Problem, check_keys, check_types, fault, problem
from mmcompose.utils.config_tree import walk

_NOT_TAKEN = ('shuffle', 'generator')
# What torch takes, but for what excludes a sampler and what no config file can hold; and what
# MMEngine's Runner takes beside.
_TAKEN = (
    *(each for each in inspect.signature(DataLoader).parameters if each not in _NOT_TAKEN),
    'num_batch_per_epoch',
    'disable_subprocess_warning',
)
_SAMPLERS = ('sampler', 'batch_sampler')
_FUNCTIONS = ('collate_fn', 'worker_init_fn')
# What is not built when a loader is looked at.
_LEFT_OUT = ('_delete_', 'dataset', *_SAMPLERS, 'num_batch_per_epoch')
_TYPES: Mapping[str, Any] = {
    'batch_size': Count,
    'num_workers': int,
    'persistent_workers': bool,
    'pin_memory': bool,
    'drop_last': bool,
    'timeout': float,
    'prefetch_factor': int | None,
    'pin_memory_device': str,
    'multiprocessing_context': str | None,
    'in_order': bool,
    'num_batch_per_epoch': int | None,
    'disable_subprocess_warning': bool,
}


def loader_problems(key: str, loader: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each part of a data loader, but its dataset, that is wrong.

    Args:
        key: Where it stands in the config, for messages.
        loader: Its config.
    """
    given = [name for name in loader if name != '_delete_']
    problems = check_keys(key, given, _TAKEN, ['dataset'])
    problems += check_types(key, loader, _TYPES)
    problems += _sampler_problems(key, loader) + _function_problems(key, loader)
    if problems:
        return problems
    plain = {name: value for name, value in loader.items() if name not in _LEFT_OUT}
    if plain.get('persistent_workers') and not plain.get('num_workers'):
        expected = 'needs num_workers above 0'
        return [problem(f'{key}.persistent_workers', plain['persistent_workers'], expected)]
    if loader.get('batch_sampler') is not None and not _has_ratio(loader['dataset']):
        # Torch refuses some values beside one, whatever it is.
        plain['batch_sampler'] = {'type': BatchSampler, 'batch_size': 1, 'drop_last': False}
    return build_problems(key, {'type': DataLoader, **plain}, _build)


def _sampler_problems(key: str, loader: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    for name in _SAMPLERS:
        given = loader.get(name)
        if given is not None and not isinstance(given, Mapping):
            problems += missing_type(f'{key}.{name}', given, DATA_SAMPLERS.name)
        for where, part in walk(given, f'{key}.{name}'):
            problems += value_problems(where, part, DATA_SAMPLERS)
    # Torch's own, in its place, would not shuffle, nor share pictures among processes; pictures
    # that are evaluated by one process need neither.
    needed = key == 'train_dataloader' and not _has_ratio(loader['dataset'])
    if needed and loader.get('sampler') is None:
        expected = "is missing; give one, e.g. dict(type='DefaultSampler', shuffle=True)"
        problems.append(fault(f'{key}.sampler', expected))
    return problems


def _has_ratio(dataset: Mapping[str, Any]) -> bool:
    """Return whether ``resolve`` writes the sampler, from the ratio of a dataset's sources."""
    return issubclass(dataset_class(dataset), MixedDataset) and (
        dataset.get('source_ratio') is not None
    )


def _function_problems(key: str, loader: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    for name in _FUNCTIONS:
        # MMEngine takes a function itself in place of the dict of one.
        if name in loader and not (name == 'collate_fn' and callable(loader[name])):
            where, function = f'{key}.{name}', loader[name]
            problems += type_problems(where, function, FUNCTIONS) or build_problems(
                where, function, _call
            )
    return problems


def _call(config: dict[str, Any]) -> None:
    """Raise what a loader's function would, called with one argument beside those of its dict."""
    arguments = {name: config[name] for name in config if name not in ('type', '_scope_')}
    try:
        signature = inspect.signature(class_of(config, FUNCTIONS))
    except ValueError:
        # What is written in C need not have one.
        return
    signature.bind(None, **arguments)


def _build(arguments: dict[str, Any]) -> Any:
    loader = {**arguments, 'dataset': [0], 'sampler': None}
    del loader['type']
    with warnings.catch_warnings():
        # That there are more workers than cores, a run's own loader tells.
        warnings.simplefilter('ignore')
        return Runner.build_dataloader(ConfigDict(loader), seed=0)
