"""Score detections of anyone through MMDetection's CocoMetric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmdet.evaluation import CocoMetric

from mmcompose.structures import Detections


@dataclass(frozen=True)
class Scores:
    """Average precision of one detector.

    Args:
        mAP: Mean over IoU 0.5:0.95 and the classes that have a true box.
        AP50: The same at IoU 0.5.
        by_class: AP over IoU 0.5:0.95 of each class, NaN where there is no true box.
    """

    mAP: float
    AP50: float
    by_class: dict[str, float]

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

    Args:
        infos: Data infos of a labelled MMDet dataset, with ``instances`` in ``classes``.
        detections: Of the same images, in the same order, labels as indices into ``classes``.
        classes: Class names.

    Returns:
        The figures of :class:`mmdet.evaluation.CocoMetric`.
    """
    metric = CocoMetric(metric='bbox', classwise=True)
    metric.dataset_meta = {'classes': tuple(classes)}
    for number, (info, found) in enumerate(zip(infos, detections, strict=True), start=1):
        sample = {
            'img_id': number,
            'ori_shape': (info['height'], info['width']),
            'instances': info['instances'],
            'pred_instances': {
                'bboxes': torch.from_numpy(found.boxes),
                'scores': torch.from_numpy(found.scores),
                'labels': torch.from_numpy(found.labels),
            },
        }
        metric.process({}, [sample])
    figures = metric.evaluate(len(infos))
    # CocoMetric says -1 where there is no truth, and nothing at all where nobody found anything.
    true_labels = {
        each['bbox_label']
        for info in infos
        for each in info['instances']
        if not each['ignore_flag']
    }
    nothing = {name: 0.0 if n in true_labels else np.nan for n, name in enumerate(classes)}
    if not true_labels:
        return Scores(np.nan, np.nan, nothing)
    return Scores(
        figures.get('coco/bbox_mAP', 0.0),
        figures.get('coco/bbox_mAP_50', 0.0),
        {name: float(figures.get(f'coco/{name}_precision', nothing[name])) for name in classes},
    )
