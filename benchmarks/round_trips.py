"""How many boxes each export format loses, as other tools' own readers find them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import supervision
from numpy.typing import NDArray
from pycocotools.coco import COCO

from mmcompose.store.exports import FORMATS, export
from mmcompose.structures import Detections, Image
from tests import other_tools, toys

PICTURES = 200
BOXES = 20
CLASSES = ('red', 'green', 'blue')
# A box that came back is no further off than this, in pixels.
_NEAR = 0.5


def lost_boxes(folder: Path) -> dict[str, int]:
    """Return by format how many of 4,000 boxes are not read back where they were."""
    toys.draw(folder / 'pool', PICTURES)
    images = toys.images_in(folder / 'pool')
    labels = [toys.random_detections(number, BOXES) for number in range(PICTURES)]
    lost = {}
    for to in FORMATS:
        path = export(to, images, labels, CLASSES, (), folder / FORMATS[to].default)
        read = _READERS[to](path, images)
        lost[to] = sum(_lost(*pair) for pair in zip(labels, read, strict=True))
    return lost


def _lost(written: Detections, read: Detections) -> int:
    same = written.labels[:, None] == read.labels
    near = np.abs(written.boxes[:, None] - read.boxes).max(axis=2, initial=0) < _NEAR
    return int((~(same & near).any(axis=1)).sum())


def _detections(boxes: NDArray[np.float64], labels: NDArray[np.int64]) -> Detections:
    return Detections.from_arrays(boxes, np.ones(len(labels)), labels)


def _coco(path: Path, images: list[Image]) -> list[Detections]:
    read, found = COCO(str(path)), []
    names = {each['id']: each['name'] for each in read.loadCats(read.getCatIds())}
    for number in read.getImgIds():
        rows = read.loadAnns(read.getAnnIds(number))
        boxes = np.array([row['bbox'] for row in rows]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = [CLASSES.index(names[row['category_id']]) for row in rows]
        found.append(_detections(boxes, np.array(labels, np.int64)))
    return found


def _yolo(path: Path, images: list[Image]) -> list[Detections]:
    read = supervision.DetectionDataset.from_yolo(
        str(path / 'images'), str(path / 'labels'), str(path / 'data.yaml')
    )
    return _in_order(read, images)


def _voc(path: Path, images: list[Image]) -> list[Detections]:
    folder = str(Path(images[0].path).parent)
    read = supervision.DetectionDataset.from_pascal_voc(folder, str(path / 'Annotations'))
    return _in_order(read, images)


def _in_order(read: supervision.DetectionDataset, images: list[Image]) -> list[Detections]:
    found = {}
    for path, _, boxes in read:
        labels = [CLASSES.index(read.classes[label]) for label in boxes.class_id]
        found[Path(path).name] = _detections(boxes.xyxy, np.array(labels, np.int64))
    return [found[image.key] for image in images]


def _parquet(path: Path, images: list[Image]) -> list[Detections]:
    rows = pq.read_table(path).to_pylist()
    found = []
    for image in images:
        own = [row for row in rows if row['image'] == image.key]
        boxes = np.array([[row[side] for side in ('x1', 'y1', 'x2', 'y2')] for row in own])
        labels = [CLASSES.index(row['class']) for row in own]
        found.append(_detections(boxes, np.array(labels, np.int64)))
    return found


def _fiftyone(path: Path, images: list[Image]) -> list[Detections]:
    """As FiftyOne's documentation of ``FiftyOneImageDetectionDataset`` has it."""
    content = json.loads((path / 'labels.json').read_text())
    found = []
    for image in images:
        rows = content['labels'][Path(image.key).stem]
        boxes = np.array([row['bounding_box'] for row in rows]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = [CLASSES.index(content['classes'][row['label']]) for row in rows]
        sides = (image.width, image.height) * 2
        found.append(_detections(boxes * sides, np.array(labels, np.int64)))
    return found


def _label_studio(path: Path, images: list[Image]) -> list[Detections]:
    found = other_tools.read_label_studio(path, CLASSES, path.parent / 'converted')
    return [found[image.path] for image in images]


def _cvat(path: Path, images: list[Image]) -> list[Detections]:
    # datumaro looks for the pictures beside the file.
    (path.parent / 'images').symlink_to(Path(images[0].path).parent)
    found = other_tools.read_datumaro('cvat', path, CLASSES)
    return [found[Path(image.key).stem] for image in images]


_READERS = {
    'coco': _coco,
    'yolo': _yolo,
    'voc': _voc,
    'parquet': _parquet,
    'fiftyone': _fiftyone,
    'labelstudio': _label_studio,
    'cvat': _cvat,
}
