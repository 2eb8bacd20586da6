"""Look at a loader's datasets: types, arguments, transforms, files, and that there are labels."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset, MultiImageMixDataset
from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.dataset import ClassBalancedDataset, RepeatDataset
from mmengine.utils import is_abs

from mmcompose.checks.check_constructors import argument_problems, value_problems
from mmcompose.datasets import (
    INNER_DATASETS,
    ClassSpaceDataset,
    PseudoLabeledDataset,
    RelabeledDataset,
    UnlabeledImages,
    annotation_path,
    common_pipeline,
    inner_datasets,
    is_wrapper,
)
from mmcompose.datasets.coco_truth import CheckedCocoDataset
from mmcompose.registry import class_of, type_name
from mmcompose.utils import (
    Mistakes,
    Problem,
    UserError,
    check_types,
    fault,
    key_prefix,
    no_folder,
    problem,
)
from mmcompose.utils.config_tree import Tree

_BY_RESOLVE = {
    PseudoLabeledDataset: ('metainfo', 'composition'),
    ClassSpaceDataset: ('classes', 'aliases', 'allow'),
}
# Wrappers that stand around ours: what lists an image twice, and what mixes several into one.
_AROUND = {
    PseudoLabeledDataset: (MultiImageMixDataset, RepeatDataset, ClassBalancedDataset),
    ClassSpaceDataset: (MultiImageMixDataset,),
}
# More closely than MMEngine annotates them.
_BASE_TYPES = {'metainfo': Mapping[str, Any], 'data_prefix': Mapping[str, str | None]}


def dataset_problems(key: str, dataset: Any) -> list[Problem]:
    """Return a problem for each wrong type or argument of a dataset, those in it, their steps.

    Args:
        key: Where the dataset stands in the config, for messages.
        dataset: Its config.
    """
    if not isinstance(dataset, Mapping):
        return argument_problems(key, dataset, DATASETS)
    problems: list[Problem] = []
    for where, each in inner_datasets(key, dataset):
        found = argument_problems(where, {**_given(each), **each}, DATASETS)
        found = found or _value_problems(where, each)
        for place, step in _steps(f'{where}.pipeline', each.get('pipeline') or ()):
            wrong = argument_problems(place, step, TRANSFORMS)
            if not found and not wrong and _mixes(step) and not _gives_others(each):
                wrong = [fault(place, f'{type_name(step)} {_OTHERS}')]
            found += wrong
        problems += found or _misplaced(where, each)
    return problems


def _value_problems(key: str, dataset: Tree) -> list[Problem]:
    """Return a problem for each argument of a dataset that is of another type."""
    cls = class_of(dataset, DATASETS)
    # A user's own may be annotated as it likes.
    if not cls.__module__.startswith(('mmengine.', 'mmdet.', 'mmcompose.')):
        return []
    # MMDetection annotates what may be None as if it were not.
    given = {name: value for name, value in dataset.items() if value is not None}
    problems = value_problems(key, given, DATASETS, (*INNER_DATASETS, 'pipeline'))
    types = {} if _is(dataset, UnlabeledImages) else _BASE_TYPES
    return problems or check_types(key, given, types)


def _misplaced(key: str, dataset: Tree) -> list[Problem]:
    """Return a problem for each wrapper in one of our datasets that belongs around it."""
    kinds = [kind for ours, kind in _AROUND.items() if _is(dataset, ours)]
    return [
        problem(f'{where}.type', each['type'], f'belongs around {type_name(dataset)}, not in it')
        for name in ('dataset', 'pool')
        for where, each in inner_datasets(f'{key}.{name}', dataset.get(name), only_sources=True)
        if kinds and 'type' in each and any(_is(each, kind) for kind in kinds[0])
    ]


_OTHERS = (
    'takes other pictures of a dataset, which this does not give; put a MultiImageMixDataset with '
    'this step around it'
)


def _given(dataset: Tree) -> dict[str, Any]:
    """Return the arguments that ``resolve`` gives a dataset, by name."""
    named = dataset.get('type') is not None
    kinds = [kind for kind in _BY_RESOLVE if named and _is(dataset, kind)]
    return {name: None for kind in kinds for name in _BY_RESOLVE[kind]}


def _steps(key: str, pipeline: Any) -> Iterator[tuple[str, Tree]]:
    """Yield the transforms of a pipeline, and those in lists that other transforms hold."""
    for number, step in enumerate(pipeline):
        place = f'{key}[{number}]'
        if isinstance(step, (list, tuple)):
            yield from _steps(place, step)
            continue
        yield place, step
        # Albumentations' own transforms are no one's but its.
        if isinstance(step, Mapping) and 'type' in step and type_name(step) != 'Albu':
            for name, value in step.items():
                if isinstance(value, (list, tuple)) and _holds_steps(value):
                    yield from _steps(f'{place}.{name}', value)


def _holds_steps(values: Any) -> bool:
    if isinstance(values, (list, tuple)):
        return bool(values) and all(_holds_steps(each) for each in values)
    return isinstance(values, Mapping) and 'type' in values


def _mixes(step: Tree) -> bool:
    """Return whether a transform needs more pictures of the dataset, as Mosaic and MixUp do."""
    get_indexes = inspect.getattr_static(class_of(step, TRANSFORMS), 'get_indexes', None)
    # Those that keep some of their own take them from their cache.
    return get_indexes is not None and 'dataset' in inspect.signature(get_indexes).parameters


def _gives_others(dataset: Tree) -> bool:
    """Return whether a dataset's steps get the other pictures that they need."""
    cls = class_of(dataset, DATASETS)
    return isinstance(cls, type) and issubclass(cls, MultiImageMixDataset)


def pipeline_problems(key: str, dataset: Any) -> list[Problem]:
    """Return a problem for each of our datasets in a training set whose pictures no step loads.

    Args:
        key: Where the training set stands in the config, for messages.
        dataset: Its config, in which every type is known.
    """
    mistakes = Mistakes()
    found = list(inner_datasets(key, dataset, only_sources=True))
    around = tuple(where for where, each in found if each.get('pipeline'))
    for where, each in found:
        if _is(each, RelabeledDataset):
            with mistakes:
                if not common_pipeline(where, each) and not where.startswith(around):
                    mistakes.add(fault(f'{where}.pipeline', 'has no step that loads a picture'))
    return mistakes.problems


def label_problems(key: str, dataset: Any) -> list[Problem]:
    """Return a problem if a training set has no labels of any kind.

    Args:
        key: Where the dataset stands in the config, for messages.
        dataset: Its config, in which every type is known.
    """
    found = list(inner_datasets(key, dataset))
    sources = [(where, each) for where, each in found if not is_wrapper(each)]
    pseudo = [where for where, each in found if _is(each, PseudoLabeledDataset)]
    bare = [(where, each) for where, each in sources if _is(each, UnlabeledImages)]
    if pseudo or len(bare) < len(sources) or not bare:
        return []
    where, each = bare[0]
    expected = (
        'has no labels, and nothing but background would be learned; put '
        "dict(type='mmcompose.PseudoLabeledDataset', dataset=…) around it"
    )
    return [problem(f'{where}.type', each['type'], expected).doubtful('no-labels')]


def _is(dataset: Tree, kind: type) -> bool:
    cls = class_of(dataset, DATASETS)
    return isinstance(cls, type) and issubclass(cls, kind)


def file_problems(key: str, dataset: Any) -> list[Problem]:
    """Return a problem for each file or folder of a dataset's config that is missing.

    Args:
        key: Where the dataset stands in the config, for messages.
        dataset: Its config, in which every type and argument is known.
    """
    mistakes = Mistakes()
    for where, each in inner_datasets(key, dataset):
        if _is(each, UnlabeledImages):
            with mistakes, _at(where, each):
                DATASETS.build({**each, 'pipeline': [], 'lazy_init': True}).check()
        elif _is(each, CocoDataset):
            with mistakes, _at(where, each):
                annotation_path(each)
            with mistakes:
                _check_pictures(where, each)
    return mistakes.problems


def truth_problems(key: str, dataset: Any) -> list[Problem]:
    """Return the problems of ground truth in the student's classes, e.g. that no picture is left.

    Args:
        key: Where the dataset stands in the config, for messages.
        dataset: Its config, resolved.
    """
    mistakes = Mistakes()
    for _, each in inner_datasets(key, dataset):
        if _is(each, ClassSpaceDataset):
            with mistakes, key_prefix(key.partition('.')[0]):
                truth = DATASETS.build({**each, 'pipeline': []})
                truth.check_classes()
                # A large file takes its time to be read.
                if isinstance(truth.dataset, CheckedCocoDataset) and truth.dataset.may_leave_out:
                    truth.full_init()
    return mistakes.problems


@contextmanager
def _at(key: str, dataset: Tree) -> Iterator[None]:
    """Put a dataset's place for its name, by which it calls itself."""
    own = f'{type_name(dataset)}.'
    try:
        yield
    except UserError as error:
        bare = (replace(each, key=each.key.removeprefix(own)) for each in error.problems)
        raise UserError(*(each.below(key) for each in bare)) from error


def _check_pictures(key: str, dataset: Tree) -> None:
    prefix = (dataset.get('data_prefix') or {}).get('img')
    if isinstance(prefix, str):
        root = '' if is_abs(prefix) else dataset.get('data_root') or ''
        folder = os.path.join(root, prefix)
        if folder and '://' not in folder and not Path(folder).is_dir():
            raise UserError(no_folder(f'{key}.data_prefix.img', folder))
