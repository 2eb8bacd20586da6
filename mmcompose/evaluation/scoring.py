"""Score detections of anyone through MMDetection's CocoMetric."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from mmdet.evaluation import CocoMetric

from mmcompose.structures import Detections, to_rle
from mmcompose.utils import logging_from, warn


@dataclass(frozen=True)
class Scores:
    """Average precision of one detector.

    Args:
        mAP: Mean over IoU 0.5:0.95 and the classes that have a true box.
        AP50: The same at IoU 0.5.
        by_class: AP over IoU 0.5:0.95 of each class, NaN where there is no true box.
        mask_mAP: As ``mAP``, by the IoU of masks; NaN where truth or detector have none.
        mask_AP50: As ``AP50``, likewise.
    """

    mAP: float
    AP50: float
    by_class: dict[str, float]
    mask_mAP: float = float('nan')
    mask_AP50: float = float('nan')

    def mean_over(self, classes: Iterable[str]) -> float:
        """Return the mean AP over some classes, NaN where none of them has a true box."""
        values = [self.by_class[name] for name in classes]
        values = [value for value in values if not np.isnan(value)]
        return float(np.mean(values)) if values else float('nan')


def score(
    infos: Sequence[Mapping[str, Any]],
    detections: Sequence[Detections],
    classes: Sequence[str],
) -> Scores:
    """Score detections against the truth of a dataset.

    Masks are scored too where each true object has one, of the boxes that have one; what is to be
    ignored and has none is its box. In an image that lists ``covered_classes``, boxes of other
    classes are neither right nor wrong.

    Args:
        infos: Data infos of a labeled MMDet dataset, with ``instances`` in ``classes``.
        detections: Of the same images, in the same order, labels as indices into ``classes``.
        classes: Class names.

    Returns:
        The figures of :class:`mmdet.evaluation.CocoMetric`.
    """
    infos, detections = _covered(infos, detections)
    figures = _coco_figures('bbox', infos, detections, classes)
    # CocoMetric returns -1 where there is no truth.
    true_labels = {
        each['bbox_label']
        for info in infos
        for each in info['instances']
        if not each['ignore_flag']
    }
    nothing = {name: 0.0 if n in true_labels else np.nan for n, name in enumerate(classes)}
    if not true_labels:
        return Scores(np.nan, np.nan, nothing)
    scores = Scores(
        figures.get('coco/bbox_mAP', 0.0),
        figures.get('coco/bbox_mAP_50', 0.0),
        {name: float(figures.get(f'coco/{name}_precision', nothing[name])) for name in classes},
    )
    without, _ = _count_without_mask(infos)
    if without or all(each.masks is None for each in detections):
        return scores
    infos = [_with_masks(info) for info in infos]
    figures = _coco_figures('segm', infos, [_with_a_mask(each) for each in detections], classes)
    return replace(
        scores,
        mask_mAP=figures.get('coco/segm_mAP', 0.0),
        mask_AP50=figures.get('coco/segm_mAP_50', 0.0),
    )


def warn_of_missing_masks(infos: Sequence[Mapping[str, Any]]) -> None:
    """Warn where :func:`score` gives no mask AP since some true boxes have no mask.

    Args:
        infos: As of :func:`score`.
    """
    without, count = _count_without_mask(infos)
    # Truth of boxes alone is no mistake.
    if 0 < without < count:
        warn(f'mask AP is left out: {without} of {count} true boxes have no mask')


def _count_without_mask(infos: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return how many boxes that are to be found have no mask, and how many there are."""
    true = [each for info in infos for each in info['instances'] if not each['ignore_flag']]
    return sum(not each.get('mask') for each in true), len(true)


def _with_masks(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give each instance that has no mask that of its box."""
    instances = [
        each if each.get('mask') else {**each, 'mask': [_corners(*each['bbox'])]}
        for each in info['instances']
    ]
    return {**info, 'instances': instances}


def _corners(x1: float, y1: float, x2: float, y2: float) -> list[float]:
    return [x1, y1, x2, y1, x2, y2, x1, y2]


def _covered(
    infos: Sequence[Mapping[str, Any]], detections: Sequence[Detections]
) -> tuple[list[Mapping[str, Any]], list[Detections]]:
    """Leave out of each image what is of a class that is not labeled there."""
    kept, found = [], []
    for info, each in zip(infos, detections, strict=True):
        covered = info.get('covered_classes')
        if covered is not None:
            instances = [one for one in info['instances'] if one['bbox_label'] in covered]
            info = {**info, 'instances': instances}
            each = each[np.isin(each.labels, list(covered))]
        kept.append(info)
        found.append(each)
    return kept, found


def _with_a_mask(found: Detections) -> Detections:
    has_mask = [mask is not None for mask in found.each_mask]
    return found.with_masks()[np.array(has_mask, bool)]


def _coco_figures(
    kind: str,
    infos: Sequence[Mapping[str, Any]],
    detections: Sequence[Detections],
    classes: Sequence[str],
) -> dict[str, float]:
    if not any(map(len, detections)):
        # CocoMetric gives no figures either, and logs an error.
        return {}
    # COCO's own limits: MMDet's default gives AP50 and each class's AP for 1000 boxes an image.
    metric = CocoMetric(metric=kind, classwise=kind == 'bbox', proposal_nums=(1, 10, 100))
    metric.dataset_meta = {'classes': tuple(classes)}
    for number, (info, found) in enumerate(zip(infos, detections, strict=True), start=1):
        height, width = info['height'], info['width']
        # Copies: the arrays of a store are mapped, and torch warns of what it cannot write to.
        predicted: dict[str, Any] = {
            'bboxes': torch.tensor(found.boxes),
            'scores': torch.tensor(found.scores),
            'labels': torch.tensor(found.labels),
        }
        if kind == 'segm':
            predicted['masks'] = [to_rle(mask, width, height) for mask in found.each_mask]
        sample = {
            'img_id': number,
            'ori_shape': (height, width),
            'instances': info['instances'],
            'pred_instances': predicted,
        }
        metric.process({}, [sample])
    # Without what CocoMetric and pycocotools print: 40 lines an evaluation, for one table.
    with logging_from(logging.WARNING), redirect_stdout(io.StringIO()):
        figures: dict[str, float] = metric.evaluate(len(infos))
    return figures
