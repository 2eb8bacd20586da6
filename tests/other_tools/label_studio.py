"""A process that reads and writes Label Studio's formats by its SDK."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface.objects import AnnotationValue


def read(tasks: str, interface: str, folder: str) -> dict[str, list[Any]]:
    """Validate tasks and predictions, and return the boxes of each picture's path."""
    checked = LabelInterface(Path(interface).read_text(encoding='utf-8'))
    checked.validate()
    content = json.loads(Path(tasks).read_text(encoding='utf-8'))
    for number, task in enumerate(content, start=1):
        assert checked.validate_task({'data': task['data']}), task
        for prediction in task['predictions']:
            assert checked.validate_prediction(prediction, return_errors=True) == []
        results = [{'result': each['result']} for each in task.pop('predictions')]
        assert all(checked.validate_annotation(each) for each in results)
        # The server numbers the tasks that it takes in.
        task |= {'id': number, 'annotations': results}
    accepted = Path(folder) / 'accepted.json'
    accepted.write_text(json.dumps(content), encoding='utf-8')
    # Seconds, of which only this job has need.
    from label_studio_sdk.converter.converter import Converter, Format

    # As the server does, whose folder of local files is / by default.
    converter = Converter(
        interface, folder, download_resources=False, local_files_resolver=lambda path: f'/{path}'
    )
    converter.convert(str(accepted), folder, Format.COCO, is_dir=False)
    return _by_path(Path(folder))


def _by_path(folder: Path) -> dict[str, list[Any]]:
    coco = json.loads((folder / 'result.json').read_text(encoding='utf-8'))
    names = {each['id']: each['name'] for each in coco['categories']}
    paths = {each['id']: str((folder / each['file_name']).resolve()) for each in coco['images']}
    found: dict[str, list[Any]] = {path: [] for path in paths.values()}
    for each in coco['annotations']:
        x, y, width, height = each['bbox']
        row = [x, y, x + width, y + height, names[each['category_id']], 1, False]
        found[paths[each['image_id']]].append(row)
    return found


def annotate(tasks: str, interface: str, regions: list[Any]) -> None:
    """Replace the predictions of tasks by annotations, in place."""
    checked = LabelInterface(Path(interface).read_text(encoding='utf-8'))
    (control,) = checked.controls
    content = json.loads(Path(tasks).read_text(encoding='utf-8'))
    for task, own in zip(content, regions, strict=True):
        values = [
            {'x': x1, 'y': y1, 'width': x2 - x1, 'height': y2 - y1, 'rotation': 0, 'label': name}
            for x1, y1, x2, y2, name in own['rows']
        ]
        made = checked.create_regions({control.name: values})
        result = [{**each._dict(), **own['sizes']} for each in made]
        annotation = AnnotationValue(completed_by=1, result=result).model_dump()
        assert checked.validate_annotation(annotation), annotation
        del task['predictions']
        task['annotations'] = [annotation]
    Path(tasks).write_text(json.dumps(content), encoding='utf-8')


if __name__ == '__main__':
    task = json.load(sys.stdin)
    print(json.dumps({'read': read, 'annotate': annotate}[task.pop('job')](**task)))
