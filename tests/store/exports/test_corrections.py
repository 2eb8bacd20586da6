"""Tests of corrected labels: what was exported comes back, and what does not fit is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.store.exports import FORMATS, export, read_corrections
from mmcompose.store.exports.label_studio import KEY
from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError
from tests import toys

CLASSES = ('traffic light', 'a "quoted" & <b>bold</b> one', 'dog')


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    toys.draw(tmp_path / 'pool', 4)
    return toys.images_in(tmp_path / 'pool')


@pytest.fixture
def labels() -> list[Detections]:
    return [toys.random_detections(number, 3 - number).sorted() for number in range(3)]


def _annotated(path: Path, cancelled: tuple[int, ...] = ()) -> None:
    """Turn predictions into annotations, as Label Studio exports them after a review."""
    tasks: list[dict[str, Any]] = json.loads(path.read_text())
    for number, task in enumerate(tasks):
        result = task.pop('predictions')[0]['result']
        task['annotations'] = [{'result': result, 'was_cancelled': number in cancelled}]
    path.write_text(json.dumps(tasks))


@pytest.mark.parametrize('source', ['labelstudio', 'cvat', 'coco', 'yolo'])
def test_a_round_trip_loses_no_box(
    source: str, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    path = export(source, images[:3], labels, CLASSES, out=tmp_path / FORMATS[source].default)
    if source == 'labelstudio':
        _annotated(path)
    # The pool's last picture was not reviewed.
    seen, found = read_corrections(source, str(path), images, CLASSES)
    assert [image.key for image in seen] == ['000.png', '001.png', '002.png']
    for one, other in zip(found, labels, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=0.01)
        np.testing.assert_array_equal(one.labels, other.labels)
        assert (one.scores == 1).all()


def test_a_cancelled_annotation_is_no_review(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    path = export('labelstudio', images[:3], labels, CLASSES, out=tmp_path / 'tasks.json')
    _annotated(path, cancelled=(1,))
    seen, _ = read_corrections('labelstudio', str(path), images, CLASSES)
    assert [image.key for image in seen] == ['000.png', '002.png']


def test_what_does_not_fit_is_named(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    path = str(export('cvat', images[:3], labels, CLASSES, out=tmp_path / 'cvat.xml'))
    with pytest.raises(UserError, match=r"corrected: '\w+.*' is no class of the student"):
        read_corrections('cvat', path, images, ['cat'])
    with pytest.raises(UserError, match=r"corrected: '000\.png' is no picture of the pool"):
        read_corrections('cvat', path, images[3:], CLASSES)
    with pytest.raises(UserError, match=r"source: 'cva' is not one of .*did you mean 'cvat'"):
        read_corrections('cva', path, images, CLASSES)
    with pytest.raises(UserError, match='is no JSON export of tasks'):
        (tmp_path / 'other.json').write_text('[{"data": {}}]')
        read_corrections('labelstudio', str(tmp_path / 'other.json'), images, CLASSES)


BOX = {'type': 'rectanglelabels', 'original_width': 96, 'original_height': 64}
VALUE = {'x': 1, 'y': 1, 'width': 9, 'height': 9, 'rectanglelabels': ['dog']}


def _tasks(result: Any) -> str:
    return json.dumps([{'data': {KEY: '000.png'}, 'annotations': [{'result': result}]}])


@pytest.mark.parametrize(
    ('source', 'content'),
    [
        ('labelstudio', '{}'),
        ('labelstudio', '[7]'),
        ('labelstudio', _tasks(None)),
        ('labelstudio', _tasks([BOX])),
        ('labelstudio', _tasks([{**BOX, 'value': {**VALUE, 'rectanglelabels': []}}])),
        ('labelstudio', _tasks([{**BOX, 'value': {**VALUE, 'x': 'left'}}])),
        ('cvat', '<annotations><image><box/></image></annotations>'),
        ('cvat', '<annotations><image name="000.png"><box label="dog"/></image></annotations>'),
        ('cvat', '<annotations>'),
        ('yolo', ''),
        ('yolo', 'names: [dog]'),
        ('yolo', 'names: {0: [}'),
    ],
)
def test_what_is_no_export_is_one_line(
    source: str, content: str, images: list[Image], tmp_path: Path
) -> None:
    path = tmp_path / 'export'
    if source == 'yolo':
        (path / 'labels').mkdir(parents=True)
        (path / 'labels' / '000.txt').write_text('5 0.5 0.5 half\n')
        (path / 'data.yaml').write_text(content)
    else:
        path.write_text(content)
    with pytest.raises(UserError, match=r'^corrected: ') as caught:
        read_corrections(source, str(path), images, CLASSES)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize('source', ['cvat', 'coco'])
def test_what_was_ignored_comes_back_so(
    source: str, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    flags = [np.arange(len(each)) % 2 == 0 for each in labels]
    flagged = [replace(each, ignore=flag) for each, flag in zip(labels, flags, strict=True)]
    path = export(source, images[:3], flagged, CLASSES, out=tmp_path / FORMATS[source].default)
    _, found = read_corrections(source, str(path), images, CLASSES)
    assert [each.is_ignored.tolist() for each in found] == [flag.tolist() for flag in flags]


TASK = '{"data": {"mmcompose_key": "000.png"}, "annotations": [{"result": [%s]}]}'
RESULT = '{"type": "rectanglelabels", "original_width": 96, "original_height": 64, "value": %s}'
IN_CVAT = '<annotations><image name="000.png"><box %s/></image></annotations>'
SIDES = 'xtl="1" ytl="1" xbr="9" ybr="9"'
BROKEN = {
    'a line that is no box': ('yolo', 'labels/000.txt', '0 0.5', r'not "class cx cy w h": line 1'),
    'an outline': ('yolo', 'labels/000.txt', '0 0 0 1 0 1 1', r'is not "class cx cy w h": line 1'),
    'pixels': ('yolo', 'labels/000.txt', '\n2 9 9 9 9', r'coordinates in line 2 that are not'),
    'a class number too many': (
        'yolo', 'labels/000.txt', '3 .5 .5 .1 .1', r'has class 3 in line 1, which data\.yaml does'
    ),
    'no names': ('yolo', 'data.yaml', 'nc: 3', r'data\.yaml\' has no names'),
    'no YAML': ('yolo', 'data.yaml', '{', r'data\.yaml\' is no YAML'),
    'no class of a region': (
        'labelstudio', '', TASK % (RESULT % '{"x": 1, "y": 1, "width": 5, "height": 5}'),
        r'has no class in result\[0\] of tasks\[0\]',
    ),
    'no width of a region': (
        'labelstudio', '', TASK % (RESULT % '{"x": 1, "y": 1, "height": 5}'),
        r'has no number as width in result\[0\] of tasks\[0\]',
    ),
    'no label of a box': ('cvat', '', IN_CVAT % SIDES, r"has no label in a box of '000\.png'"),
    'no side of a box': ('cvat', '', IN_CVAT % 'label="dog" xtl="1"', r'no number as ytl in a box'),
    'a side that is no number': (
        'cvat', '', IN_CVAT % SIDES.replace('9', 'x'), r'has no number as xbr in a box'
    ),
    'no name of a picture': ('cvat', '', '<x><image/></x>', r'has no name in image 0'),
}  # fmt: skip


@pytest.mark.parametrize(('source', 'place', 'text', 'told'), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_one_line(
    source: str, place: str, text: str, told: str, images: list[Image],
    labels: list[Detections], tmp_path: Path,
) -> None:  # fmt: skip
    path = export(source, images[:3], labels, CLASSES, out=tmp_path / FORMATS[source].default)
    text = f'[{text}]' if source == 'labelstudio' else text
    (path / place if place else path).write_text(text)
    with pytest.raises(UserError, match=told) as raised:
        read_corrections(source, str(path), images, CLASSES)
    assert len(raised.value.lines) == 1


def test_blank_lines_of_text_files_are_passed_over(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    path = export('yolo', images[:3], labels, CLASSES, out=tmp_path / 'yolo')
    (path / 'labels' / '000.txt').write_text('\n0 0.5 0.5 0.5 0.5\n\n')
    _, found = read_corrections('yolo', str(path), images, CLASSES)
    np.testing.assert_allclose(found[0].boxes, [[24, 16, 72, 48]])
