"""The shape of a Runner's config: which keys hold dicts, lists of them, or plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

from mmengine.config import Config

from mmcompose.checks.config_parts import metrics_of
from mmcompose.registry import missing_type
from mmcompose.utils import Problem, UserError, check_types, problem

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


def check_value_types(config: Config) -> None:
    """Check that what is looked into holds what is looked for.

    Raises:
        UserError: With a line for each value of another kind.
    """
    given = {name: value for name, value in config.items() if name in _SHAPES}
    problems = check_types('', given, _SHAPES)
    if not problems:
        problems += _missing_types('custom_hooks', config.get('custom_hooks') or (), 'hook')
        for name in ('val_evaluator', 'test_evaluator'):
            metrics = metrics_of(config.get(name) or ())
            problems += _missing_types(name, metrics, 'metric')
        for name in LOADERS:
            if config.get(name) is not None:
                problems += _dataset_problems(f'{name}.dataset', config[name].get('dataset'))
    if problems:
        raise UserError(*problems)


def _dataset_problems(key: str, dataset: Any) -> Iterator[Problem]:
    if not isinstance(dataset, Mapping):
        yield from _missing_types(key, [dataset], 'dataset')
        return
    pipeline, parts = dataset.get('pipeline'), dataset.get('datasets')
    if isinstance(pipeline, (list, tuple)):
        yield from _missing_types(f'{key}.pipeline', pipeline, 'transform')
    elif pipeline is not None:
        yield problem(f'{key}.pipeline', pipeline, 'is not a list')
    if dataset.get('dataset') is not None:
        yield from _dataset_problems(f'{key}.dataset', dataset['dataset'])
    if isinstance(parts, (list, tuple)):
        for number, part in enumerate(parts):
            yield from _dataset_problems(f'{key}.datasets[{number}]', part)
    elif parts is not None:
        yield problem(f'{key}.datasets', parts, 'is not a list')


def _missing_types(key: str, values: Iterable[Any], kind: str) -> Iterator[Problem]:
    for value in values:
        yield from missing_type(key, value, kind)
