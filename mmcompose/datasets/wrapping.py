"""What a dataset wraps: one walk, for built datasets and for their configs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from mmcompose.utils import UserError, fault
from mmcompose.utils.config_tree import walk

# Where a dataset has those whose images it gives on.
_SOURCES = ('dataset', 'datasets')
# Where its config holds any.
INNER_DATASETS = (*_SOURCES, 'pool', 'truth')


def inner_datasets(key: str, dataset: Any, only_sources: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield a dataset's config and every one that it holds, with its exact key.

    Args:
        key: Where the dataset stands in the config.
        dataset: Its config.
        only_sources: Whether to leave out ``pool`` and ``truth``, whose pipelines never run.
            Defaults to False.
    """
    names = _SOURCES if only_sources else INNER_DATASETS
    yield from walk(dataset, key, lambda name: name in names)


def is_wrapper(dataset: Mapping[str, Any]) -> bool:
    """Return whether a dataset's config has those whose images it gives on, or a list for them."""
    return any(isinstance(dataset.get(name), (Mapping, list, tuple)) for name in _SOURCES)


def change_sources(
    key: str, dataset: MutableMapping[str, Any], change: Callable[[str, Any], Any]
) -> None:
    """Put others in place of the configs right inside a dataset's, but for ``pool`` and ``truth``.

    Args:
        key: Where the dataset stands in the config.
        dataset: Its config, changed in place.
        change: Takes the key of a config and the config, and returns the other.
    """
    for name in _SOURCES:
        part = dataset.get(name)
        if isinstance(part, Mapping):
            dataset[name] = change(f'{key}.{name}', part)
        elif part is not None:
            dataset[name] = [
                change(f'{key}.{name}[{number}]', each) for number, each in enumerate(part)
            ]


def pipelines(key: str, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dataset's pipeline, or where it has none those of its sources, each by its key.

    Args:
        key: Where the dataset stands in the config.
        dataset: Its config.
    """
    if dataset.get('pipeline') is not None or not is_wrapper(dataset):
        return {f'{key}.pipeline': dataset.get('pipeline') or []}
    found: dict[str, Any] = {}

    def add(place: str, part: Any) -> Any:
        found.update(pipelines(place, part) if isinstance(part, Mapping) else {})
        return part

    change_sources(key, dict(dataset), add)
    return found


def common_pipeline(key: str, dataset: Mapping[str, Any]) -> Any:
    """Return the pipeline of a dataset's config, its own or that of all its sources.

    Args:
        key: Where the dataset stands in the config.
        dataset: Its config.

    Raises:
        UserError: If its sources have different ones.
    """
    found = pipelines(key, dataset)
    first, steps = next(iter(found.items()), (key, []))
    for place, other in found.items():
        if other != steps:
            expected = f'differs from {first}, and one dataset is around both; set its pipeline'
            raise UserError(fault(place, expected))
    return steps


def move_pipeline_up(key: str, dataset: MutableMapping[str, Any]) -> None:
    """Move the pipeline of what a dataset wraps up to it, where MMDet's ``DetInferencer`` looks.

    Args:
        key: Where the dataset stands in the config.
        dataset: Its config, changed in place.

    Raises:
        UserError: See :func:`common_pipeline`.
    """
    steps = common_pipeline(key, dataset)
    for _, part in inner_datasets(key, dataset, only_sources=True):
        part.pop('pipeline', None)
    dataset['pipeline'] = steps


def wrapped(dataset: Any) -> list[Any]:
    """Return the datasets right inside a dataset: its ``dataset``, then its ``datasets``.

    Args:
        dataset: A built dataset, or the config dict of one.
    """
    if isinstance(dataset, Mapping):
        inner = [dataset.get('dataset'), *(dataset.get('datasets') or ())]
        return [part for part in inner if isinstance(part, Mapping)]
    # MMEngine's num_batch_per_epoch puts one around it that gives on whatever it is asked for.
    if '_dataset' in getattr(dataset, '__dict__', {}):
        return [dataset._dataset]
    inner = [getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())]
    return [part for part in inner if part is not None]


def each_dataset(dataset: Any) -> Iterator[Any]:
    """Yield a dataset, or a dataset's config, and all that it wraps, the outermost first."""
    yield dataset
    for part in wrapped(dataset):
        yield from each_dataset(part)
