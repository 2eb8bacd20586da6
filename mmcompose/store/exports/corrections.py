"""Corrected labels, read back from the tools that they were exported to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias
from xml.etree import ElementTree

import yaml

from mmcompose.store.exports.label_studio import KEY
from mmcompose.structures import Detections, Image
from mmcompose.structures.coco import read_coco
from mmcompose.structures.json_files import read_json
from mmcompose.utils import UserError, no_file, no_folder, problem

ARGUMENT = '--corrected'
# A picture's key, its boxes (xyxy in pixels), and their class names.
Corrected: TypeAlias = tuple[str, list[list[float]], list[str]]


def read_corrections(
    source: str, path: str, images: Sequence[Image], classes: Sequence[str]
) -> tuple[list[Image], list[Detections]]:
    """Read the pictures that somebody looked at, with what they marked there.

    A picture of Label Studio counts where it has an annotation that was not cancelled; of the
    others every picture of the file or folder.

    Args:
        source: 'labelstudio' (its JSON export), 'cvat' ("CVAT for images 1.1"), 'coco' or 'yolo'
            (the folder with ``labels/`` and ``data.yaml``).
        path: The file or folder.
        images: The pool.
        classes: The student's classes.

    Returns:
        The pictures, in the pool's order, and the boxes of each, of score 1.

    Raises:
        UserError: If the file is none of that format, a class is none of the student's, or a
            picture is not in the pool.
    """
    if source not in READERS:
        raise UserError(problem('--from', source, f'is not one of {", ".join(READERS)}', READERS))
    by_key = {image.key: image for image in images}
    labels = {name: number for number, name in enumerate(classes)}
    found: dict[str, Detections] = {}
    for key, boxes, names in _read(source, path, by_key):
        if key not in by_key:
            raise UserError(problem(ARGUMENT, key, 'is no picture of the pool', by_key))
        for name in names:
            if name not in labels:
                raise UserError(problem(ARGUMENT, name, 'is no class of the student', classes))
        each = Detections.from_arrays(boxes, [1.0] * len(boxes), [labels[n] for n in names])
        found[key] = each.clipped(by_key[key].width, by_key[key].height)
    seen = [image for image in images if image.key in found]
    return seen, [found[image.key] for image in seen]


def _read(source: str, path: str, images: Mapping[str, Image]) -> Iterator[Corrected]:
    try:
        yield from READERS[source](path, images)
    except (AttributeError, LookupError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise UserError(problem(ARGUMENT, path, f'is no export of {source} ({reason})')) from error


def _label_studio(path: str, images: Mapping[str, Image]) -> Iterator[Corrected]:
    tasks = read_json(ARGUMENT, path)
    if not isinstance(tasks, list) or any(KEY not in task.get('data', {}) for task in tasks):
        expected = f'is no JSON export of tasks that have data.{KEY}'
        raise UserError(problem(ARGUMENT, path, expected))
    for task in tasks:
        done = [each for each in task.get('annotations', ()) if not each.get('was_cancelled')]
        if done:
            yield task['data'][KEY], *_rectangles(done[-1]['result'])


def _rectangles(results: Sequence[Mapping[str, Any]]) -> tuple[list[list[float]], list[str]]:
    boxes, names = [], []
    for each in results:
        if each['type'] == 'rectanglelabels':
            value = each['value']
            width, height = each['original_width'] / 100, each['original_height'] / 100
            x, y = value['x'], value['y']
            right, bottom = x + value['width'], y + value['height']
            boxes.append([x * width, y * height, right * width, bottom * height])
            names.append(value['rectanglelabels'][0])
    return boxes, names


def _cvat(path: str, images: Mapping[str, Image]) -> Iterator[Corrected]:
    if not Path(path).is_file():
        raise UserError(no_file(ARGUMENT, path))
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise UserError(problem(ARGUMENT, path, f'is no XML ({error})')) from error
    for picture in root.iter('image'):
        rectangles = picture.findall('box')
        sides = ('xtl', 'ytl', 'xbr', 'ybr')
        boxes = [[float(box.attrib[side]) for side in sides] for box in rectangles]
        yield picture.attrib['name'], boxes, [box.attrib['label'] for box in rectangles]


def _coco(path: str, images: Mapping[str, Image]) -> Iterator[Corrected]:
    content = read_coco(ARGUMENT, path)
    names = {each['id']: each['name'] for each in content.categories}
    for image in content.images:
        rows = [each for each in content.annotations if each['image_id'] == image['id']]
        boxes = [[x, y, x + w, y + h] for x, y, w, h in (row['bbox'] for row in rows)]
        yield image['file_name'], boxes, [names[row['category_id']] for row in rows]


def _yolo(path: str, images: Mapping[str, Image]) -> Iterator[Corrected]:
    folder = Path(path)
    if not (folder / 'labels').is_dir():
        raise UserError(no_folder(ARGUMENT, folder / 'labels'))
    if not (folder / 'data.yaml').is_file():
        raise UserError(no_file(ARGUMENT, folder / 'data.yaml'))
    names = yaml.safe_load((folder / 'data.yaml').read_text(encoding='utf-8'))['names']
    by_stem = {str(PurePosixPath(key).with_suffix('')): image for key, image in images.items()}
    for file in sorted((folder / 'labels').rglob('*.txt')):
        stem = file.relative_to(folder / 'labels').with_suffix('').as_posix()
        if stem not in by_stem:
            raise UserError(problem(ARGUMENT, stem, 'is no picture of the pool', by_stem))
        image, boxes, found = by_stem[stem], [], []
        for line in file.read_text(encoding='utf-8').splitlines():
            label, *values = line.split()
            x, y, w, h = map(float, values[:4])
            corners = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            sizes = (image.width, image.height) * 2
            boxes.append([side * size for side, size in zip(corners, sizes, strict=True)])
            found.append(names[int(label)])
        yield image.key, boxes, found


READERS: Mapping[str, Callable[[str, Mapping[str, Image]], Iterator[Corrected]]] = {
    'labelstudio': _label_studio,
    'cvat': _cvat,
    'coco': _coco,
    'yolo': _yolo,
}
