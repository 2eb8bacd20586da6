"""Metrics that score and write the student's classes, in whatever order a file has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS

from mmcompose.class_space import ClassSpace
from mmcompose.datasets import (
    ClassSpaceDataset,
    RelabeledDataset,
    annotation_path,
    dataset_class,
    each_dataset,
)
from mmcompose.registry import class_of, type_name
from mmcompose.structures.coco import read_coco
from mmcompose.utils import UserError, doubt, examples, fault, first_difference, log, problem


def resolve_metric(key: str, metric: Any, dataset: Any, classes: Sequence[str]) -> None:
    """Let a metric score, and write, what a file calls by the names of the student's classes.

    CocoMetric would read a file's labels in the file's order of categories: it takes its truths
    from the dataset. Of another metric that reads a file, the order is compared.

    Args:
        key: Where the metric stands in the config.
        metric: Its config; changed in place.
        dataset: The resolved dataset's config that it scores, None for none.
        classes: The student's classes.

    Raises:
        UserError: If another metric reads a file whose categories are not the student's classes
            in their order, or if results would be written by ids that are not their file's.
    """
    cls = class_of(metric, METRICS)
    # An unknown type is told elsewhere.
    if cls is None:
        return
    if not _scores_as_coco(cls):
        _check_order(f'{key}.ann_file', metric, classes)
        return
    if 'ann_file' in metric:
        metric.ann_file = None
    if metric.get('outfile_prefix') is not None and dataset is not None:
        _write_own_ids(f'{key}.outfile_prefix', metric, dataset)


def _scores_as_coco(cls: Any) -> bool:
    """Return whether a metric is CocoMetric, or leaves to it how truths are read and scored."""
    return getattr(cls, 'compute_metrics', None) is CocoMetric.compute_metrics


def _check_order(key: str, metric: Any, classes: Sequence[str]) -> None:
    path = metric.get('ann_file')
    # Files of other forms, such as CrowdHuman's, list no categories.
    if not isinstance(path, str) or not path.lower().endswith('.json'):
        return
    listed = [each['name'] for each in read_coco(key, path, annotations=False).categories]
    if listed and listed != list(classes):
        in_file, own = first_difference(listed, classes)
        expected = (
            f"lists other classes ({in_file}) than the student's ({own}), and "
            f'{type_name(metric)} goes by their order; write them so in '
            'composition.class_space.classes, or use CocoMetric'
        )
        doubt('class-order', problem(key, path, expected))


def _write_own_ids(key: str, metric: Any, dataset: Any) -> None:
    """Let a metric write its results by the ids of the COCO json that its images are of."""
    parts = [p for p in each_dataset(dataset) if issubclass(dataset_class(p), RelabeledDataset)]
    jsons = [
        part
        for part in parts
        if issubclass(dataset_class(part), ClassSpaceDataset)
        and issubclass(dataset_class(part.dataset), CocoDataset)
    ]
    if not jsons:
        return
    if len(parts) > 1:
        expected = (
            'is for the results of several data sets, whose files number images and categories '
            'each in its own way; test them one at a time, or leave it out'
        )
        raise UserError(problem(key, metric.outfile_prefix, expected))
    if class_of(metric, METRICS) is not CocoMetric:
        expected = (
            f"is where {type_name(metric)} would write the student's numbers of classes for ids of "
            'categories; use CocoMetric, or leave it out'
        )
        raise UserError(problem(key, metric.outfile_prefix, expected))
    metric.category_ids = _category_ids(key, jsons[0])
    metric.type = 'mmcompose.CocoFileMetric'


def _category_ids(key: str, dataset: Any) -> list[Any]:
    """Return the id of each of the student's classes in a dataset's file, None where it has none.

    Raises:
        UserError: If several of the file's categories are one class of the student.
    """
    path = annotation_path(dataset.dataset)
    categories = read_coco(key, path, annotations=False).categories
    mapping = dataset.get('mapping') or {}
    index = ClassSpace({}, dataset.classes, dataset.aliases).index(
        [mapping.get(each['name'], each['name']) for each in categories]
    )
    ids: list[Any] = []
    for label, name in enumerate(dataset.classes):
        same = [each for each, found in zip(categories, index, strict=True) if found == label]
        if len(same) > 1:
            names = examples([each['name'] for each in same])
            expected = (
                f"has {names} for the student's {name!r}: results have no category of their own"
            )
            raise UserError(fault(key, f'{path} {expected}; leave it out'))
        ids.append(same[0]['id'] if same else None)
    lacking = [n for n, number in zip(dataset.classes, ids, strict=True) if number is None]
    if lacking:
        log(f'{key}: what is predicted of {examples(lacking)} is not written: {path} has none')
    return ids
