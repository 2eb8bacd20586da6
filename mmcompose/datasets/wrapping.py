"""What a dataset wraps: one walk, for built datasets and for their configs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def wrapped(dataset: Any) -> list[Any]:
    """Return the datasets right inside a dataset: its ``dataset``, then its ``datasets``.

    Args:
        dataset: A built dataset, or the config dict of one.
    """
    if isinstance(dataset, Mapping):
        inner = [dataset.get('dataset'), *(dataset.get('datasets') or ())]
        return [part for part in inner if isinstance(part, Mapping)]
    inner = [getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())]
    return [part for part in inner if part is not None]


def each_dataset(dataset: Any) -> Iterator[Any]:
    """Yield a dataset, or a dataset's config, and all that it wraps, the outermost first."""
    yield dataset
    for part in wrapped(dataset):
        yield from each_dataset(part)
