"""A labeled set that a command line names, in the student's classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os.path import join, realpath
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DefaultScope
from mmengine.utils import is_abs
from numpy.typing import NDArray

from mmcompose.class_space import shipped_ties
from mmcompose.composition import Composition
from mmcompose.datasets import ClassSpaceDataset, images_of, inner_datasets, truth_of
from mmcompose.datasets.pool_listing import folder_of
from mmcompose.engine.read_composition import pseudo_labeled_configs
from mmcompose.labeling import LabelInput
from mmcompose.structures import filesystem_of
from mmcompose.utils import Problem, UserError, nearest, no_file, problem

# Of a labeled set on which nothing that is found can be right.
NO_BOX = 'labels no box of a class of the student'


def labeled_set(
    config: Config,
    composition: Composition,
    ann_file: str,
    img_prefix: str | None,
    drop_unmapped: bool,
) -> ClassSpaceDataset:
    """Return labeled images, in the student's classes.

    Args:
        config: The composition's config, whose datasets they may be of.
        composition: Whose classes and aliases hold.
        ann_file: A COCO json, in any class names that the class space knows.
        img_prefix: The folder of its images. Defaults to that of a training or validation
            set of the same file, of the validation set, or of a pool: the first with all of them.
        drop_unmapped: Whether boxes of classes that the student does not have are left out.

    Raises:
        UserError: If there are such and they are not left out, if no box is of a class of the
            student, or a file is missing: predictions of another picture may bear its name.
    """
    classes = composition.class_space.classes
    folders = _image_folders(config, ann_file) if img_prefix is None else [img_prefix]
    dataset = _where_all_are(composition, ann_file, folders, img_prefix is not None)
    unmapped = _unmapped(dataset, composition)
    if unmapped and (not drop_unmapped or not len(covered_classes(dataset, composition))):
        raise UserError(_unmapped_problem(ann_file, unmapped, classes))
    # All that the teachers predict would be wrong.
    if not has_true_boxes(dataset):
        raise UserError(problem('ann_file', ann_file, NO_BOX))
    return dataset


def has_true_boxes(dataset: BaseDataset) -> bool:
    """Return whether a labeled dataset has a true box that is to be found."""
    rows = range(len(dataset))
    return any(len(truth_of(dataset.get_data_info(row)).kept()) for row in rows)


def _where_all_are(
    composition: Composition, ann_file: str, folders: Sequence[str], given: bool
) -> ClassSpaceDataset:
    """Return the labeled set of the first folder that has all of its images."""
    missing = []
    for folder in folders:
        dataset = _read(composition, ann_file, folder)
        paths = (dataset.get_data_info(row)['img_path'] for row in range(len(dataset)))
        absent = next((path for path in paths if not _is_file(path)), None)
        if absent is None:
            return dataset
        missing.append(absent)
    if given:
        raise UserError(no_file('img_prefix', missing[0]))
    where = ' or '.join(map(repr, folders)) or 'a folder of the config'
    expected = f'names images that are not all in {where}; name their folder (--img-prefix)'
    raise UserError(problem('ann_file', ann_file, expected))


def _is_file(path: str) -> bool:
    filesystem, name = filesystem_of(path)
    return bool(filesystem.isfile(name))


def _read(composition: Composition, ann_file: str, folder: str) -> ClassSpaceDataset:
    coco = dict(
        type='CocoDataset',
        ann_file=ann_file,
        data_prefix=dict(img=folder),
        test_mode=True,
        # Few images need no memory saved.
        serialize_data=False,
    )
    resolved = composition.resolved
    aliases = resolved['class_space'].get('aliases', [])
    classes = composition.class_space.classes
    with _named_by_option(ann_file), DefaultScope.overwrite_default_scope('mmdet'):
        dataset = ClassSpaceDataset(coco, classes, aliases, allow=resolved['allow'])
        dataset.full_init()
    return dataset


@contextmanager
def _named_by_option(ann_file: str) -> Iterator[None]:
    """Name the file, where a mistake in it is named by an argument of the dataset's own."""
    try:
        yield
    except UserError as error:
        of_dataset = (ClassSpaceDataset.__name__, 'CocoDataset')
        problems = (
            replace(each, key='ann_file', value=ann_file)
            if each.key.startswith(of_dataset)
            else each
            for each in error.problems
        )
        raise UserError(*problems) from error


def labeled_inputs(composition: Composition, dataset: ClassSpaceDataset) -> list[LabelInput]:
    """Return the teachers' detections in labeled images that can be read, with their truth."""
    shown = composition.label_inputs(images_of(dataset))
    labeled = []
    for row in shown.readable:
        detections, image = shown[row]
        truth = truth_of(dataset.get_data_info(row))
        labeled.append((detections, replace(image, truth=truth)))
    return labeled


def covered_classes(dataset: ClassSpaceDataset, composition: Composition) -> NDArray[np.int64]:
    """Return the student's indices of the classes that a file labels."""
    found = composition.class_space.index(dataset.dataset.metainfo['classes'])
    return found[found >= 0]


def _unmapped(dataset: ClassSpaceDataset, composition: Composition) -> list[str]:
    """Return the classes that a file has boxes of, and the student does not know."""
    inner = dataset.dataset
    labels = {
        each['bbox_label']
        for row in range(len(inner))
        for each in inner.get_data_info(row)['instances']
    }
    names = [name for label, name in enumerate(inner.metainfo['classes']) if label in labels]
    indices = composition.class_space.index(names)
    return [name for name, index in zip(names, indices, strict=True) if index < 0]


def _image_folders(config: Config, ann_file: str) -> list[str]:
    """Return the folders of datasets of a file, of the validation set and the pools, each once."""
    training, validation = (
        (config.get(name) or {}).get('dataset') for name in ('train_dataloader', 'val_dataloader')
    )
    pools = (each.get('pool') or each.get('dataset') for each in pseudo_labeled_configs(config))
    datasets = [each for each in _inside([training, validation]) if _lists(each, ann_file)]
    datasets += _inside([validation, *pools])
    folders = (_from_root(each, (each.get('data_prefix') or {}).get('img')) for each in datasets)
    return list(dict.fromkeys(folder_of(folder) for folder in folders if folder))


def _inside(datasets: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the configs of datasets and every one that they hold."""
    return (dataset for _, dataset in inner_datasets('', datasets))


def _lists(dataset: Mapping[str, Any], ann_file: str) -> bool:
    """Return whether a dataset's config has a file as its own."""
    own = dataset.get('ann_file')
    # A dataset of somebody's own may take several.
    if not isinstance(own, str) or not own:
        return False
    return realpath(_from_root(dataset, own)) == realpath(ann_file)


def _from_root(dataset: Mapping[str, Any], path: str | None) -> str:
    """Return a path of a dataset's config as MMEngine joins it with ``data_root``."""
    path = path or ''
    return path if is_abs(path) else join(dataset.get('data_root') or '', path)


def _unmapped_problem(ann_file: str, unmapped: list[str], classes: tuple[str, ...]) -> Problem:
    ties = {name: f'in the alias table {t!r}' for name, _, t in shipped_ties(unmapped, classes)}
    unmatched = []
    for name in unmapped:
        near = nearest(name, classes)
        why = ties.get(name) or (f'did you mean {near!r}?' if near else None)
        unmatched.append(f'{name!r} ({why})' if why else repr(name))
    expected = (
        f'labels {", ".join(unmatched)}: no class of the student; add to '
        'composition.class_space.aliases, or leave such boxes out (--drop-unmapped)'
    )
    return problem('ann_file', ann_file, expected)
