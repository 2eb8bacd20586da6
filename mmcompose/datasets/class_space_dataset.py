"""ClassSpaceDataset: ground truth, in the student's classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.datasets import CocoDataset, Objects365V1Dataset
from mmdet.registry import DATASETS as MMDET_DATASETS
from mmengine.utils import is_abs

from mmcompose.class_space import ClassSpace
from mmcompose.class_space.spelling import same_but_for_spelling
from mmcompose.datasets.coco_truth import KEY, CheckedCocoDataset, CocoTruth
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
        allow: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        self._allow = list(allow)
        # Names of a COCO json by id, in the order in which MMDet numbers them.
        self._categories: dict[Any, str] = {}
        metainfo = {**(metainfo or {}), 'classes': classes}
        with allowing(self._allow):
            super().__init__(dataset, metainfo=metainfo, **kwargs)
        names = self.dataset.metainfo['classes']
        class_space = _TruthSpace(
            {TRUTH: names}, classes, aliases, {TRUTH: mapping or {}}, on_unmapped
        )
        self._index = class_space.teacher_index(TRUTH)
        if not (self._index >= 0).any():
            raise UserError(_nothing_shared(names, classes))
        covered = _covered(self._index.tolist(), classes, covered_classes)
        # Which of the student's classes are labeled in every image; None for all.
        self.covered_classes = covered if len(covered) < len(classes) else None
        dropped = [name for name, index in zip(names, self._index, strict=True) if index < 0]
        if dropped:
            names = ', '.join(_with_near(name, classes) for name in dropped)
            log(f'ground truth of classes that the student lacks is left out: {names}')
            _warn_of_spelling([name for name in dropped if name not in (mapping or {})], classes)

    def prepare_config(self, config: dict[str, Any]) -> dict[str, Any]:
        """Name the classes of a COCO json in the file's own order, and list what it ignores.

        Raises:
            UserError: If it is a dataset that wraps one of a COCO json.
        """
        _check_not_wrapped(config)
        if issubclass(MMDET_DATASETS.get(config['type']), CocoDataset):
            metainfo = dict(config.get('metainfo') or {})
            self._categories = _coco_categories(config)
            in_file = [*self._categories.values()]
            wanted = metainfo.get('classes', in_file)
            key = 'ClassSpaceDataset.dataset.metainfo.classes'
            if not isinstance(wanted, (list, tuple)):
                raise UserError(problem(key, wanted, 'is no list of class names'))
            problems = [
                problem(
                    key,
                    name,
                    f'is not in the categories of {config["ann_file"]}',
                    in_file,
                )
                for name in wanted
                if name not in in_file
            ]
            if problems:
                raise UserError(*problems)
            metainfo['classes'] = tuple(name for name in in_file if name in wanted)
            config['metainfo'] = metainfo
        if MMDET_DATASETS.get(config['type']) is CocoDataset:
            config['type'] = CocoTruth if config.get('test_mode') else CheckedCocoDataset
        return config

    def full_init(self) -> None:
        """Load the wrapped dataset.

        Raises:
            UserError: If it loads the classes of a COCO json in another order than they are listed.
        """
        if self._fully_initialized:
            return
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


def _coco_categories(config: Mapping[str, Any]) -> dict[Any, str]:
    """Return the names of a COCO json's categories by id, in the order in which MMDet has them."""
    path = annotation_path(config)
    found = read_coco(KEY, path, annotations=False)
    if not found.images:
        raise UserError(problem(KEY, path, 'lists no image'))
    if roots(found.categories, set()):
        # Whether anybody annotated one that groups others, the annotations show.
        found = read_coco(KEY, path)
        for name in found.root_categories:
            log(f'{path}: category {name!r} only groups others and has no box: it is no class')
    unused = found.root_categories
    names = {category['id']: category['name'] for category in found.categories}
    if issubclass(MMDET_DATASETS.get(config['type']), Objects365V1Dataset):
        names = {number: names[number] for number in sorted(names)}
    return {number: name for number, name in names.items() if name not in unused}
