"""Metrics that score the student's classes, in whatever order a file has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS

from mmcompose.registry import class_of, type_name
from mmcompose.structures.coco import read_coco
from mmcompose.utils import doubt, first_difference, problem


def resolve_metric(key: str, metric: Any, classes: Sequence[str]) -> None:
    """Let a metric score what a file calls by the names of the student's classes.

    CocoMetric would read a file's labels in the file's order of categories: it takes its truths
    from the dataset. Of another metric that reads a file, the order is compared.

    Args:
        key: Where the metric stands in the config.
        metric: Its config; changed in place.
        classes: The student's classes.

    Raises:
        UserError: If another metric reads a file whose categories are not the student's classes
            in their order.
    """
    if not _scores_as_coco(class_of(metric, METRICS)):
        _check_order(f'{key}.ann_file', metric, classes)
        return
    if 'ann_file' in metric:
        metric.ann_file = None


def _scores_as_coco(cls: Any) -> bool:
    """Return whether a metric is CocoMetric, or leaves to it how truths are read and scored."""
    # Unlike issubclass, of a type that is unknown as well, which is told elsewhere.
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
