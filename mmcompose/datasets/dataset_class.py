"""The class of a dataset's config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmdet.registry import DATASETS

from mmcompose.registry import DATASETS as OWN_DATASETS
from mmcompose.registry import class_of, missing_type
from mmcompose.utils import UserError, problem


def dataset_class(dataset: Mapping[str, Any], key: str = 'dataset') -> Any:
    """Return the class of a dataset's config.

    Args:
        dataset: The config.
        key: Where it stands, for messages.

    Raises:
        UserError: If there is no dataset of that name.
    """
    if problems := missing_type(key, dataset, 'dataset'):
        raise UserError(*problems)
    cls = class_of(dataset, DATASETS)
    if cls is None:
        known = [*DATASETS.module_dict, *(f'mmcompose.{name}' for name in OWN_DATASETS.module_dict)]
        raise UserError(problem(f'{key}.type', dataset['type'], 'is no dataset', known))
    return cls
