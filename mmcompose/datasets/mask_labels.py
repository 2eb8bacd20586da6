"""Pseudo-labels for a student that learns instance masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmcompose.labeling.bands.score_bands import covers_a_kept_box
from mmcompose.structures import Detections, to_rle


def reads_masks(transforms: Iterable[Any]) -> bool:
    """Return whether one of the transforms loads masks, as ``LoadAnnotations(with_mask=True)``."""
    return any(getattr(step, 'with_mask', False) for step in transforms)


def for_mask_student(found: Detections) -> Detections:
    """Return labels of which each that teaches has a mask.

    A box without one can be no target of a mask head, a full box as its mask would teach
    rectangles, and to drop it would make its object background: it is ignored instead, unless
    it covers a kept box; see :class:`mmcompose.labeling.ScoreBands`.
    """
    found = found.with_masks()
    ignore = np.array([mask is None for mask in found.each_mask], bool)
    if not ignore.any():
        return found
    found = replace(found, ignore=ignore | found.is_ignored)
    return found[~covers_a_kept_box(found)]


def masked_instances(labels: Detections, width: int, height: int) -> list[dict[str, Any]]:
    """Return the labels of an image as MMDet's instances; see :func:`for_mask_student`.

    Args:
        labels: As they are stored.
        width: Of the image, in pixels.
        height: Likewise.
    """
    found = for_mask_student(labels)
    weights = [None] * len(found) if found.weights is None else found.weights.tolist()
    instances = []
    for box, label, score, ignored, weight, mask in zip(
        found.boxes.tolist(),
        found.labels.tolist(),
        found.scores.tolist(),
        found.is_ignored.tolist(),
        weights,
        found.each_mask,
        strict=True,
    ):
        instance = {'bbox': box, 'bbox_label': label, 'ignore_flag': int(ignored)}
        segmentation = rectangle(box) if mask is None else to_rle(mask, width, height)
        instance |= {'score': score, 'mask': segmentation}
        instances.append(instance if weight is None else {**instance, 'weight': weight})
    return instances


def instances_for_mask_student(instances: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return MMDet's instances of which each that teaches has a mask, as :func:`for_mask_student`.

    Args:
        instances: Of an image; those without a mask have no ``mask``.
    """
    bare = np.array(['mask' not in each for each in instances], bool)
    if not bare.any():
        return instances
    boxes = [each['bbox'] for each in instances]
    labels = [each['bbox_label'] for each in instances]
    found = Detections.from_arrays(boxes, np.zeros(len(boxes)), labels)
    ignore = bare | np.array([each['ignore_flag'] for each in instances], bool)
    dropped = bare & covers_a_kept_box(replace(found, ignore=ignore))
    return [
        {**each, 'ignore_flag': 1, 'mask': rectangle(each['bbox'])} if is_bare else each
        for each, is_bare, is_dropped in zip(instances, bare, dropped, strict=True)
        if not is_dropped
    ]


def rectangle(box: Sequence[float]) -> list[list[float]]:
    """Return what MMDet's ``LoadAnnotations`` reads as a mask: every pixel that a box touches.

    For an ignored box, which is no target: some transforms take each box from its mask, and would
    take the box away where there is none.

    Args:
        box: In pixels, xyxy.
    """
    (x1, y1), (x2, y2) = np.floor(box[:2]).tolist(), np.ceil(box[2:]).tolist()
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]
