"""Labels as a COCO json, to look at them or train elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmcompose.store.exports.labeled import Labeled
from mmcompose.structures import Detections, Image, mask_area, to_rle
from mmcompose.utils import write_json


def write_coco(labeled: Labeled, path: Path) -> None:
    """Write labels as a COCO json; see :func:`to_coco`. ``votes`` are the teachers' names."""
    content = to_coco(labeled.images, labeled.labels, labeled.classes)
    voters = (each for _, found in labeled for each in labeled.voters(found))
    for annotation, names in zip(content['annotations'], voters, strict=True):
        if names is not None:
            annotation['votes'] = names
    write_json('out', path, content, indent=None)


def to_coco(
    images: Sequence[Image],
    labels: Sequence[Detections],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Return pseudo-labels as a COCO dict.

    Categories stand in the student's order with ids from 1, since MMDet takes them in the
    file's order. Annotation ids start at 1: pycocotools drops a match with annotation 0.
    Ignore boxes are ``iscrowd``. A box with a mask has it as ``segmentation`` (compressed RLE),
    and its ``area`` is the mask's.
    """
    annotations: list[dict[str, Any]] = []
    for image_id, image in enumerate(images, start=1):
        found = labels[image_id - 1]
        masks = [None] * len(found) if found.masks is None else found.masks.tolist()
        for box, score, label, ignored, mask in zip(
            found.boxes.tolist(),
            found.scores.tolist(),
            found.labels.tolist(),
            found.is_ignored.tolist(),
            masks,
            strict=True,
        ):
            x1, y1, x2, y2 = box
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': image_id,
                    'category_id': label + 1,
                    'bbox': [x1, y1, x2 - x1, y2 - y1],
                    'area': (x2 - x1) * (y2 - y1),
                    'iscrowd': int(ignored),
                    'score': score,
                }
            )
            if mask is not None:
                rle = to_rle(mask, image.width, image.height)
                annotations[-1] |= {'segmentation': rle, 'area': mask_area(mask)}
    return {
        'images': [
            {'id': number, 'file_name': image.key, 'width': image.width, 'height': image.height}
            for number, image in enumerate(images, start=1)
        ],
        'annotations': annotations,
        'categories': [{'id': n, 'name': name} for n, name in enumerate(classes, start=1)],
    }
