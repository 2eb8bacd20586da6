"""Corrections in a COCO json."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from mmcompose.store.exports.corrections.marked import ARGUMENT, Marked
from mmcompose.structures import Image
from mmcompose.structures.coco import read_coco


def read_coco_corrections(path: str, images: Mapping[str, Image]) -> Iterator[Marked]:
    """Yield every picture of the file; a crowd, or what has ``ignore``, is ignored."""
    content = read_coco(ARGUMENT, path)
    names = {each['id']: each['name'] for each in content.categories}
    rows_of: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in content.annotations:
        rows_of[row['image_id']].append(row)
    for image in content.images:
        marked = Marked(image['file_name'])
        if image.get('width') is not None and image.get('height') is not None:
            marked.size = (image['width'], image['height'])
        for row in rows_of[image['id']]:
            x, y, width, height = row['bbox']
            ignored = bool(row.get('iscrowd') or row.get('ignore'))
            # Tools write [] for a box that has none.
            mask = row.get('segmentation') or None
            corners = [x, y, x + width, y + height]
            marked.add(corners, names[row['category_id']], ignored, segmentation=mask)
        yield marked
