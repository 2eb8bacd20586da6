"""Label Studio's tasks with predictions, and the labeling interface that shows them."""

from __future__ import annotations

import os
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
# In the notes of a region whose box neither teaches nor counts as background.
IGNORED = 'ignored'
FOUND_BY = 'found by'


def write_label_studio(labeled: Labeled, path: Path) -> None:
    """Write a task a picture with its labels as predictions, and beside it ``<name>.config.xml``.

    Boxes are in percent of the picture, as Label Studio has them. ``data.mmcompose_key`` is the
    picture's key in the pool, by which corrections find their way back. A region's notes tell
    which teachers found it, and whether it is ignored.
    """
    tasks = [
        task_of(image, found, labeled.classes, labeled.voters(found)) for image, found in labeled
    ]
    write_json('out', path, tasks, indent=None)
    tree = ElementTree.ElementTree(interface(labeled.classes))
    ElementTree.indent(tree)
    with atomic_write('out', path.with_suffix('.config.xml')) as temporary:
        tree.write(temporary, encoding='utf-8')


def task_of(
    image: Image,
    found: Detections,
    classes: tuple[str, ...],
    voters: list[list[str]] | list[None],
) -> dict[str, Any]:
    """Return the task of one picture."""
    about = [_about(*each) for each in zip(voters, found.is_ignored.tolist(), strict=True)]
    columns = (found.boxes, found.labels.tolist(), found.scores.tolist(), about)
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
            **({'meta': {'text': text}} if text else {}),
        }
        for number, (box, label, score, text) in enumerate(zip(*columns, strict=True))
    ]
    mean = sum(found.scores.tolist()) / len(found) if len(found) else 0.0
    remote = '://' in image.path
    # Not `absolute`, which keeps `..`: it would lie in no folder of a storage.
    local = Path(os.path.abspath(image.path)).as_posix().lstrip('/')
    address = image.path if remote else _LOCAL_FILES + quote(os.fsencode(local))
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


def _about(voters: list[str] | None, ignored: bool) -> list[str]:
    """Return what the region's own notes tell of a box."""
    # Without a comma: where a reviewer edits them, the notes of a region become one text.
    found_by = [f'{FOUND_BY} {" and ".join(voters)}'] if voters else []
    return [*found_by, IGNORED] if ignored else found_by


def _percent(box: list[float], image: Image) -> dict[str, float]:
    x1, y1, x2, y2 = box
    return {
        'x': 100 * x1 / image.width,
        'y': 100 * y1 / image.height,
        'width': 100 * (x2 - x1) / image.width,
        'height': 100 * (y2 - y1) / image.height,
        'rotation': 0,
    }
