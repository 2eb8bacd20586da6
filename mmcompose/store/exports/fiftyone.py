"""FiftyOne's folder of detections, `FiftyOneImageDetectionDataset`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mmcompose.store.exports.labeled import Labeled, link_picture
from mmcompose.structures import Detections, Image
from mmcompose.utils import write_json


def write_fiftyone(labeled: Labeled, folder: Path) -> Iterator[Path]:
    """Write ``labels.json`` and ``data/``, links to the pictures.

    Boxes are left, top, width and height as shares of the picture. ``votes`` and ``ignored`` are
    attributes, fields of a detection in FiftyOne, as of :func:`mmcompose.to_fiftyone`.

    Yields:
        The links.
    """
    found = {}
    for (image, detections), stem in zip(labeled, labeled.stems(), strict=True):
        link = folder / 'data' / f'{stem}{PurePosixPath(image.key).suffix}'
        yield link
        link_picture(image, link)
        found[stem] = _boxes(image, detections, labeled.voters(detections))
    content = {'classes': list(labeled.classes), 'labels': found}
    write_json('out', folder / 'labels.json', content, indent=None)


def _boxes(
    image: Image, found: Detections, voters: list[list[str]] | list[None]
) -> list[dict[str, Any]]:
    columns = (found.boxes.tolist(), found.labels.tolist(), found.scores.tolist())
    boxes = []
    for row, ((x1, y1, x2, y2), label, score) in enumerate(zip(*columns, strict=True)):
        attributes: dict[str, Any] = {'ignored': bool(found.is_ignored[row])}
        if voters[row] is not None:
            attributes['votes'] = voters[row]
        corner, size = (x1, y1), (x2 - x1, y2 - y1)
        sides = (image.width, image.height) * 2
        box = [value / side for value, side in zip((*corner, *size), sides, strict=True)]
        boxes.append(
            {'label': label, 'bounding_box': box, 'confidence': score, 'attributes': attributes}
        )
    return boxes
