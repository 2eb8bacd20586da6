"""Which pictures of a pool need no person any more."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from os.path import join, realpath
from typing import Any

from mmdet.registry import DATASETS as MMDET_DATASETS

from mmcompose.datasets.class_space_dataset import ClassSpaceDataset
from mmcompose.datasets.dataset_class import dataset_class
from mmcompose.datasets.picture_truth import PictureTruth, with_all_pictures
from mmcompose.datasets.pseudo_labeled import PseudoLabeledDataset
from mmcompose.datasets.wrapping import wrapped
from mmcompose.store import ImageTable
from mmcompose.structures import Image


def labeled_rows(
    dataset: Mapping[str, Any], images: Sequence[Image], num_classes: int
) -> frozenset[int]:
    """Return the rows of the pictures of which a training set has true labels of all classes.

    They are those of a pool's ``truth``, and those of a labeled source beside it: of that by
    path alone, since another folder may have pictures of the same names.

    Args:
        dataset: The training set's config, resolved.
        images: The pool.
        num_classes: How many classes the student has.

    Raises:
        UserError: If a labeled dataset cannot be read, or none of a ``truth`` is in the pool.
    """
    rows: set[int] = set()
    listed: set[str] = set()
    for each in _labeled(dataset):
        if issubclass(dataset_class(each), ClassSpaceDataset):
            listed |= _paths(each)
        else:
            truth = PictureTruth(each['truth'], num_classes, iou_thr=1)
            truth.match(images)
            rows |= {row for row in range(len(images)) if len(truth.covered(row)) == num_classes}
    if listed:
        pool = ImageTable.of(images)
        paths = (pool.plain_row(row)[1] for row in range(len(pool)))
        rows |= {row for row, path in enumerate(_real_paths(paths)) if path in listed}
    return frozenset(rows)


def _labeled(dataset: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the labeled sources in a dataset's config, and the pools that have truth."""
    cls = dataset_class(dataset)
    if issubclass(cls, PseudoLabeledDataset):
        if dataset.get('truth') is not None:
            yield dataset
    elif issubclass(cls, ClassSpaceDataset):
        yield dataset
    else:
        for part in wrapped(dataset):
            yield from _labeled(part)


def _paths(config: Mapping[str, Any]) -> set[str]:
    """Return where the pictures of a labeled source are; none if it does not label all classes."""
    dataset = MMDET_DATASETS.build({**with_all_pictures(config), 'pipeline': []})
    if dataset.covered_classes is not None:
        return set()
    paths = (dataset.get_data_info(row)['img_path'] for row in range(len(dataset)))
    return set(_real_paths(paths))


def _real_paths(paths: Iterable[str]) -> Iterator[str]:
    """Yield ``realpath`` of each; it takes a look at each folder, and at files that are links."""
    folder_of = cache(_folder)
    for path in paths:
        folder, name = os.path.split(path)
        real, links = folder_of(folder)
        yield realpath(path) if name in links else join(real, name)


def _folder(folder: str) -> tuple[str, frozenset[str]]:
    """Return where a folder really is, and the names of the links in it; a URL has none."""
    try:
        with os.scandir(folder or os.curdir) as entries:
            links = frozenset(entry.name for entry in entries if entry.is_symlink())
    except OSError:
        links = frozenset()
    return realpath(folder), links
