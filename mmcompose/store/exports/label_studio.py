"""Label Studio's tasks with predictions, and the labeling interface that shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from mmcompose.store.exports.labeled import Labeled
from mmcompose.structures import Detections, Image
from mmcompose.utils import atomic_write, write_json

# Label Studio serves files below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT at this address.
_LOCAL_FILES = '/data/local-files/?d='
FROM_NAME, TO_NAME = 'label', 'image'
KEY = 'mmcompose_key'


def write_label_studio(labeled: Labeled, path: Path) -> None:
    """Write a task a picture with its labels as predictions, and beside it ``<name>.config.xml``.

    Boxes are in percent of the picture, as Label Studio has them. ``data.mmcompose_key`` is the
    picture's key in the pool, by which corrections find their way back.
    """
    tasks = [task_of(image, found, labeled.classes) for image, found in labeled]
    write_json('out', path, tasks, indent=None)
    tree = ElementTree.ElementTree(interface(labeled.classes))
    ElementTree.indent(tree)
    with atomic_write('out', path.with_suffix('.config.xml')) as temporary:
        tree.write(temporary, encoding='utf-8')


def task_of(image: Image, found: Detections, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the task of one picture."""
    columns = (found.boxes, found.labels.tolist(), found.scores.tolist())
    results = [
        {
            'id': f'box-{number}',
            'type': 'rectanglelabels',
            'from_name': FROM_NAME,
            'to_name': TO_NAME,
            'original_width': image.width,
            'original_height': image.height,
            'image_rotation': 0,
            'score': score,
            'value': {**_percent(box.tolist(), image), 'rectanglelabels': [classes[label]]},
        }
        for number, (box, label, score) in enumerate(zip(*columns, strict=True))
    ]
    mean = sum(found.scores.tolist()) / len(found) if len(found) else 0.0
    remote = '://' in image.path
    local = Path(image.path).absolute().as_posix().lstrip('/')
    address = image.path if remote else _LOCAL_FILES + quote(local)
    return {
        'data': {'image': address, KEY: image.key},
        'predictions': [{'model_version': 'mmcompose', 'score': mean, 'result': results}],
    }


def interface(classes: tuple[str, ...]) -> ElementTree.Element:
    """Return the labeling interface: rectangles of the given classes on a picture."""
    view = ElementTree.Element('View')
    ElementTree.SubElement(view, 'Image', name=TO_NAME, value='$image')
    labels = ElementTree.SubElement(view, 'RectangleLabels', name=FROM_NAME, toName=TO_NAME)
    for name in classes:
        ElementTree.SubElement(labels, 'Label', value=name)
    return view


def _percent(box: list[float], image: Image) -> dict[str, float]:
    x1, y1, x2, y2 = box
    return {
        'x': 100 * x1 / image.width,
        'y': 100 * y1 / image.height,
        'width': 100 * (x2 - x1) / image.width,
        'height': 100 * (y2 - y1) / image.height,
        'rotation': 0,
    }
