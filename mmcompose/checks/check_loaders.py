"""Look at a data loader beside its datasets: samplers, and what torch's DataLoader takes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from mmdet.registry import DATA_SAMPLERS
from torch.utils.data import DataLoader

from mmcompose.checks.check_constructors import build_problems, value_problems
from mmcompose.datasets import MixedDataset, dataset_class
from mmcompose.registry import missing_type
from mmcompose.utils import Count, Problem, check_keys, check_types, fault, problem
from mmcompose.utils.config_tree import walk

# What MMEngine's Runner takes of a loader itself.
_BY_RUNNER = ('dataset', 'sampler', 'batch_sampler', 'collate_fn', 'num_batch_per_epoch')
# What it hands on to torch.
_TYPES: Mapping[str, Any] = {
    'batch_size': Count,
    'num_workers': int,
    'persistent_workers': bool,
    'pin_memory': bool,
    'drop_last': bool,
    'timeout': float,
    'prefetch_factor': int | None,
    'pin_memory_device': str,
    'num_batch_per_epoch': int | None,
}


def loader_problems(key: str, loader: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each part of a data loader, but its dataset, that is wrong.

    Args:
        key: Where it stands in the config, for messages.
        loader: Its config.
    """
    given = [name for name in loader if name != '_delete_']
    problems = check_keys(key, given, (*_BY_RUNNER[:4], *_TYPES), ['dataset'])
    problems += check_types(key, loader, _TYPES)
    problems += _sampler_problems(key, loader)
    if problems:
        return problems
    plain = {name: loader[name] for name in _TYPES if name in loader and name not in _BY_RUNNER}
    if plain.get('persistent_workers') and not plain.get('num_workers'):
        expected = 'needs num_workers above 0'
        return [problem(f'{key}.persistent_workers', plain['persistent_workers'], expected)]
    return build_problems(key, {'type': DataLoader, **plain}, _build)


def _sampler_problems(key: str, loader: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    for name in ('sampler', 'batch_sampler'):
        given = loader.get(name)
        if given is not None and not isinstance(given, Mapping):
            problems += missing_type(f'{key}.{name}', given, DATA_SAMPLERS.name)
        for where, part in walk(given, f'{key}.{name}'):
            problems += value_problems(where, part, DATA_SAMPLERS)
    # Torch's own, in its place, would not shuffle, nor share pictures among processes.
    if loader.get('sampler') is None and not _has_ratio(loader['dataset']):
        expected = "is missing; give one, e.g. dict(type='DefaultSampler', shuffle=True)"
        problems.append(fault(f'{key}.sampler', expected))
    return problems


def _has_ratio(dataset: Mapping[str, Any]) -> bool:
    """Return whether ``resolve`` writes the sampler, from the ratio of a dataset's sources."""
    return issubclass(dataset_class(dataset), MixedDataset) and (
        dataset.get('source_ratio') is not None
    )


def _build(arguments: dict[str, Any]) -> Any:
    empty: Any = [0]
    with warnings.catch_warnings():
        # That there are more workers than cores, a run's own loader tells.
        warnings.simplefilter('ignore')
        return DataLoader(empty, **{name: arguments[name] for name in arguments if name != 'type'})
