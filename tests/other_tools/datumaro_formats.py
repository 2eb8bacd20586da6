"""A process that reads and writes formats by datumaro."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from datumaro.components.annotation import AnnotationType, Bbox
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.components.media import Image


def read(form: str, path: str) -> dict[str, list[Any]]:
    """Return the boxes of each picture, by its name."""
    dataset = Dataset.import_from(path, form)
    names = [label.name for label in dataset.categories()[AnnotationType.label]]
    return {item.id: [_row(each, names) for each in item.annotations] for item in dataset}


def _row(box: Bbox, names: list[str]) -> list[Any]:
    about = box.attributes
    ignored = about.get('ignore', about.get('is_crowd', False))
    return [*box.points, names[box.label], about.get('score', 1), ignored]


def write(items: list[Any], classes: list[str], folder: str) -> str:
    """Write boxes as CVAT has them, and return the path of the file."""
    made = []
    for item in items:
        boxes = [Bbox(x1, y1, x2 - x1, y2 - y1, label=n) for (x1, y1, x2, y2), n in item['rows']]
        media = Image.from_file(path=item['path'])
        made.append(
            DatasetItem(id=str(Path(item['key']).with_suffix('')), media=media, annotations=boxes)
        )
    Dataset.from_iterable(made, categories=classes).export(folder, 'cvat', save_media=True)
    (written,) = Path(folder).glob('*.xml')
    return str(written)


if __name__ == '__main__':
    task = json.load(sys.stdin)
    print(json.dumps({'read': read, 'write': write}[task.pop('job')](**task)))
