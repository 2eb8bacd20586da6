"""The shape of a Runner's config: which keys hold dicts, lists of them, or plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from mmcompose.datasets import each_dataset
from mmcompose.utils import UserError, check_types, problem

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_Dict = Mapping[str, Any]
# As MMEngine's Runner is annotated, but for objects that no config file can hold.
_SHAPES: Mapping[str, Any] = {
    'model': _Dict,
    'work_dir': str | None,
    **dict.fromkeys(LOADERS, _Dict | None),
    **dict.fromkeys(('train_cfg', 'val_cfg', 'test_cfg', 'optim_wrapper'), _Dict | None),
    'param_scheduler': _Dict | Sequence[_Dict] | None,
    **dict.fromkeys(('val_evaluator', 'test_evaluator'), _Dict | Sequence[_Dict] | None),
    'default_hooks': _Dict | None,
    'custom_hooks': Sequence[_Dict] | None,
    'load_from': str | None,
    'resume': bool,
    'env_cfg': _Dict,
    'log_processor': _Dict | None,
    'visualizer': _Dict | None,
    'default_scope': str | None,
    'randomness': _Dict,
}


def check_shapes(config: Config) -> None:
    """Check that what is looked into holds what is looked for.

    Raises:
        UserError: With a line for each value of another kind.
    """
    given = {name: value for name, value in config.items() if name in _SHAPES}
    problems = check_types('', given, _SHAPES)
    if not problems:
        problems += _nameless('custom_hooks', config.get('custom_hooks') or (), 'hook')
        for name in LOADERS:
            if config.get(name) is not None:
                problems += _dataset_problems(name, config[name])
    if problems:
        raise UserError(*problems)


def _dataset_problems(name: str, loader: Mapping[str, Any]) -> Iterator[str]:
    if loader.get('dataset') is None:
        yield f'{name}.dataset: is missing'
        return
    for dataset in each_dataset(loader['dataset']):
        pipeline = dataset.get('pipeline') if isinstance(dataset, Mapping) else None
        if isinstance(pipeline, (list, tuple)):
            yield from _nameless(f'{name}.dataset.pipeline', pipeline, 'transform')
        elif pipeline is not None:
            yield problem(f'{name}.dataset.pipeline', pipeline, 'is not a list')


def _nameless(key: str, values: Iterable[Any], kind: str) -> Iterator[str]:
    """Yield a problem for each value that is no dict with a type."""
    for value in values:
        if not isinstance(value, Mapping) or 'type' not in value:
            yield problem(key, value, f'is no dict of a {kind}: it names no type')
