"""ClassSpaceDataset: ground truth, in the student's classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset, Objects365V1Dataset
from mmdet.registry import DATASETS as MMDET_DATASETS
from mmengine.dataset import BaseDataset
from mmengine.utils import is_abs
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.class_space.spelling import same_but_for_spelling
from mmcompose.datasets.coco_truth import KEY, CheckedCocoDataset, CocoTruth
from mmcompose.datasets.dataset_class import dataset_class
from mmcompose.datasets.relabeled import RelabeledDataset
from mmcompose.datasets.wrapping import each_dataset, wrapped
from mmcompose.registry import DATASETS, class_of, type_name
from mmcompose.structures.coco import read_coco, roots
from mmcompose.utils import (
    Problem,
    UserError,
    allowing,
    examples,
    fault,
    first_line,
    log,
    nearest,
    no_file,
    problem,
    warn,
)

TRUTH = 'ground truth'


class _TruthSpace(ClassSpace):
    """A class space whose only teacher is a data set's ground truth."""

    key = 'ClassSpaceDataset'

    def mapping_key(self, teacher: str) -> str:
        return f'{self.key}.mapping'

    def described(self, teacher: str) -> str:
        return 'the data set'


@DATASETS.register_module()
class ClassSpaceDataset(RelabeledDataset):
    """A labeled dataset whose class names or order differ from the student's.

    MMDet takes the labels of a COCO json in the file's own order of categories, and passes over
    names that it does not find. Here the names are read from the file itself and each label is
    turned into the student's class of that name or alias. Where its classes are not all of the
    student's, each image lists them (``covered_classes``, the student's indices): in such an image
    the absence of another class is no evidence (Zhao et al. 2020).

    Args:
        dataset: Any labeled dataset of MMDet, but no wrapper of one of a COCO json: the wrapper
            stands around this.
        classes: The student's classes; ``resolve`` writes them here.
        aliases: The composition's; likewise.
        mapping: The data set's class to the student's, or to None to drop it.
        on_unmapped: What becomes of a class that the student does not have: 'drop' (default)
            its boxes, or 'error'.
        covered_classes: The student's classes that are labeled in every image, where the
            data set lists more than it labels. Defaults to all that it lists.
        needs_labels: Whether a COCO json without annotations is refused. Defaults to True;
            ``resolve`` writes False where every metric only writes results (``format_only``).
        allow: Names of checks whose finds are warnings; ``resolve`` writes the config's here.
        **kwargs: Arguments of :class:`RelabeledDataset`.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        classes: Sequence[str],
        aliases: Sequence[Any] = (),
        mapping: Mapping[str, str | None] | None = None,
        on_unmapped: str = 'drop',
        covered_classes: Sequence[str] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        needs_labels: bool = True,
        allow: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        self._allow = list(allow)
        self._aliases, self._mapping, self._on_unmapped = aliases, mapping or {}, on_unmapped
        self._stated, self._needs_labels = covered_classes, needs_labels
        # The wrapped dataset's config, where it is one of a COCO json.
        self._coco: dict[str, Any] | None = None
        # Names of a COCO json by id, in the order in which MMDet numbers them.
        self._categories: dict[Any, str] = {}
        super().__init__(dataset, metainfo={**(metainfo or {}), 'classes': classes}, **kwargs)

    def prepare_config(self, config: dict[str, Any]) -> dict[str, Any]:
        """List what a COCO json ignores.

        Raises:
            UserError: If it is a dataset that wraps one of a COCO json.
        """
        _check_not_wrapped(config)
        cls = dataset_class(config, 'ClassSpaceDataset.dataset')
        if isinstance(cls, type) and issubclass(cls, CocoDataset):
            self._coco = dict(config)
        if cls is CocoDataset:
            config['type'] = CocoTruth if config.get('test_mode') else CheckedCocoDataset
        return config

    @cached_property
    def _index(self) -> NDArray[np.int64]:
        """The student's class of each of the wrapped dataset's, -1 for none."""
        classes = self.metainfo['classes']
        with allowing(self._allow):
            names = self._names()
        class_space = _TruthSpace(
            {TRUTH: names}, classes, self._aliases, {TRUTH: self._mapping}, self._on_unmapped
        )
        index = class_space.teacher_index(TRUTH)
        if not (index >= 0).any():
            raise UserError(_nothing_shared(names, classes))
        dropped = [name for name, label in zip(names, index, strict=True) if label < 0]
        if dropped:
            left_out = ', '.join(_with_near(name, classes) for name in dropped)
            log(f'ground truth of classes that the student lacks is left out: {left_out}')
            _warn_of_spelling([name for name in dropped if name not in self._mapping], classes)
        return index

    @cached_property
    def covered_classes(self) -> tuple[int, ...] | None:
        """Which of the student's classes are labeled in every image; None for all."""
        classes = self.metainfo['classes']
        covered = _covered(self._index.tolist(), classes, self._stated)
        return covered if len(covered) < len(classes) else None

    def _names(self) -> Sequence[str]:
        """Return the wrapped dataset's classes, those of a COCO json in the file's own order."""
        if self._coco is not None:
            self._categories = _coco_categories(self._coco, self._needs_labels)
            wanted = _wanted(self._coco, [*self._categories.values()])
            # By which it reads the file.
            self.dataset._metainfo['classes'] = wanted
        elif self.dataset.metainfo.get('classes') is None:
            # Its file names them.
            _load(self.dataset)
        names: Sequence[str] | None = self.dataset.metainfo.get('classes')
        if names is None:
            expected = 'names no classes, and its file names none; set metainfo=dict(classes=…)'
            kind = type(self.dataset).__name__
            raise UserError(problem('ClassSpaceDataset.dataset.type', kind, expected))
        return names

    def check_classes(self) -> None:
        """Compare the wrapped dataset's classes with the student's, of which it reads a file's.

        Raises:
            UserError: If they have none in common, or ``metainfo``, ``mapping`` or
                ``covered_classes`` name one that is missing.
        """
        _ = self.covered_classes

    def full_init(self) -> None:
        """Load the wrapped dataset.

        Raises:
            UserError: See :meth:`check_classes`; if it loads the classes of a COCO json in another
                order than they are listed.
        """
        if self._fully_initialized:
            return
        self.check_classes()
        with allowing(self._allow):
            super().full_init()
        if self._categories:
            self._check_order()

    def _check_order(self) -> None:
        loaded = [self._categories.get(number, number) for number in self.dataset.cat_ids]
        names = list(self.dataset.metainfo['classes'])
        if loaded != names:
            expected = (
                f'loads {len(loaded)} classes in the order {examples(loaded)}, where '
                f'{len(names)} are listed in the order {examples(names)}; use CocoDataset'
            )
            kind = type(self.dataset).__name__
            raise UserError(problem('ClassSpaceDataset.dataset.type', kind, expected))

    def relabel(self, index: int, info: dict[str, Any]) -> list[dict[str, Any]]:
        """See :meth:`RelabeledDataset.relabel`."""
        if self.covered_classes is not None:
            info['covered_classes'] = self.covered_classes
        instances = []
        for instance in info['instances']:
            label = int(self._index[instance['bbox_label']])
            if label >= 0:
                instances.append({**instance, 'bbox_label': label})
        return instances


def _check_not_wrapped(config: Mapping[str, Any]) -> None:
    inside = (each for part in wrapped(config) for each in each_dataset(part))
    if any(issubclass(class_of(each, MMDET_DATASETS), CocoDataset) for each in inside):
        expected = (
            'wraps a COCO json, whose classes it takes in another order than they are named; put '
            'it around a ClassSpaceDataset of each json'
        )
        raise UserError(problem('ClassSpaceDataset.dataset.type', config['type'], expected))


def _wanted(config: Mapping[str, Any], in_file: Sequence[str]) -> tuple[str, ...]:
    """Return the classes of a COCO json that a dataset's config names, in the file's order."""
    named = (config.get('metainfo') or {}).get('classes', in_file)
    key = 'ClassSpaceDataset.dataset.metainfo.classes'
    if not isinstance(named, (list, tuple)):
        raise UserError(problem(key, named, 'is no list of class names'))
    expected = f'is not in the categories of {config["ann_file"]}'
    problems = [problem(key, name, expected, in_file) for name in named if name not in in_file]
    if problems:
        raise UserError(*problems)
    return tuple(name for name in in_file if name in named)


def _load(dataset: BaseDataset) -> None:
    """Load a dataset whose classes its file names.

    Raises:
        UserError: If the file cannot be read.
    """
    try:
        dataset.full_init()
    except UserError:
        raise
    # Of a file in another form each dataset makes something else.
    except Exception as error:
        expected = f'cannot be read by {type(dataset).__name__} ({first_line(error)})'
        path = getattr(dataset, 'ann_file', '')
        raise UserError(problem('ClassSpaceDataset.dataset.ann_file', path, expected)) from error


def _covered(
    index: Sequence[int], classes: Sequence[str], stated: Sequence[str] | None
) -> tuple[int, ...]:
    """Return the student's indices of the classes that a data set labels."""
    listed = {label for label in index if label >= 0}
    if stated is None:
        return tuple(sorted(listed))
    if not isinstance(stated, (list, tuple)):
        key = 'ClassSpaceDataset.covered_classes'
        raise UserError(problem(key, stated, 'is no list of class names'))
    names = [classes[label] for label in sorted(listed)]
    problems = [
        problem(
            'ClassSpaceDataset.covered_classes',
            name,
            "is not among the student's classes that the data set lists",
            names,
        )
        for name in stated
        if name not in names
    ]
    if problems:
        raise UserError(*problems)
    return tuple(sorted(classes.index(name) for name in set(stated)))


def _warn_of_spelling(dropped: Sequence[str], classes: Sequence[str]) -> None:
    for first, other in same_but_for_spelling([*classes, *dropped]):
        if first in classes and other in dropped:
            warn(
                f'ground truth of {other!r} is left out, but the student has {first!r}: tie '
                'them in composition.class_space.aliases, or drop it in ClassSpaceDataset.mapping'
            )


def _nothing_shared(names: Sequence[str], classes: Sequence[str]) -> Problem:
    shown = examples([_with_near(repr(name), classes) for name in names])
    expected = (
        f'labels no class of the student: its classes are {shown}; tie names in '
        'composition.class_space.aliases, or in ClassSpaceDataset.mapping'
        if names
        else 'labels no class of the student: it names none'
    )
    return fault('ClassSpaceDataset.dataset', expected)


def _with_near(name: str, classes: Sequence[str]) -> str:
    near = nearest(name, classes)
    return f'{name} (not {near}?)' if near else name


def annotation_path(config: Mapping[str, Any]) -> str:
    """Return where a dataset's config has its annotation file.

    Raises:
        UserError: If there is none.
    """
    path: str = config.get('ann_file') or ''
    if not path:
        raise UserError(fault(f'{type_name(config)}.ann_file', 'is missing; name a COCO json'))
    if not is_abs(path):
        path = os.path.join(config.get('data_root') or '', path)
    if '://' not in path and not os.path.isfile(path):
        raise UserError(no_file(f'{type_name(config)}.ann_file', path))
    return path


def _coco_categories(config: Mapping[str, Any], needs_labels: bool) -> dict[Any, str]:
    """Return the names of a COCO json's categories by id, in the order in which MMDet has them."""
    path = annotation_path(config)
    found = read_coco(KEY, path, annotations=False)
    if not found.images:
        raise UserError(problem(KEY, path, 'lists no image'))
    if needs_labels and not found.is_labeled:
        expected = (
            'has no annotations; name a labeled file, or where only results are written set '
            'format_only=True in each metric'
        )
        raise UserError(problem(KEY, path, expected))
    if roots(found.categories, set()):
        # Whether anybody annotated one that groups others, the annotations show.
        found = read_coco(KEY, path, annotations=None)
        for name in found.root_categories:
            log(f'{path}: category {name!r} only groups others and has no box: it is no class')
    unused = found.root_categories
    names = {category['id']: category['name'] for category in found.categories}
    if issubclass(dataset_class(config), Objects365V1Dataset):
        names = {number: names[number] for number in sorted(names)}
    return {number: name for number, name in names.items() if name not in unused}
