"""Tests of corrected labels: what was exported comes back, and what does not fit is named."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.store.exports import FORMATS, export, read_corrections
from mmcompose.store.exports.corrections import read
from mmcompose.store.exports.label_studio import KEY
from mmcompose.structures import Detections, Image, decode_masks, encode_masks
from mmcompose.utils import UserError
from tests import other_tools, toys

CLASSES = ('traffic light', 'a "quoted" & <b>bold</b> one', 'dog')


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    toys.draw(tmp_path / 'pool', 4)
    return toys.images_in(tmp_path / 'pool')


@pytest.fixture
def labels() -> list[Detections]:
    return [toys.random_detections(number, 3 - number).sorted() for number in range(3)]


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(read, 'warn', lines.append)
    return lines


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


@pytest.mark.parametrize('source', ['labelstudio', 'cvat'])
def test_what_the_tools_own_packages_write_comes_back(
    source: str, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    if source == 'cvat':
        path = other_tools.write_cvat(images[:3], labels, CLASSES, tmp_path / 'cvat')
    else:
        path = export(source, images[:3], labels[::-1], CLASSES, out=tmp_path / 'tasks.json')
        other_tools.annotate_in_label_studio(path, labels, images[:3], CLASSES)
    seen, found = read_corrections(source, str(path), images, CLASSES)
    assert [image.key for image in seen] == ['000.png', '001.png', '002.png']
    for one, other in zip(found, labels, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=0.01)
        np.testing.assert_array_equal(one.labels, other.labels)
        assert (one.scores == 1).all() and not one.is_ignored.any()


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


@pytest.mark.parametrize('source', ['cvat', 'coco', 'labelstudio'])
def test_what_was_ignored_comes_back_so(
    source: str, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    flags = [np.arange(len(each)) % 2 == 0 for each in labels]
    flagged = [replace(each, ignore=flag) for each, flag in zip(labels, flags, strict=True)]
    path = export(source, images[:3], flagged, CLASSES, out=tmp_path / FORMATS[source].default)
    if source == 'labelstudio':
        _annotated(path)
    _, found = read_corrections(source, str(path), images, CLASSES)
    assert [each.is_ignored.tolist() for each in found] == [flag.tolist() for flag in flags]


def test_masks_come_back_in_coco(images: list[Image], tmp_path: Path, warned: list[str]) -> None:
    bitmaps = np.zeros((3, 64, 96), bool)
    bitmaps[0, 5:20, 10:30] = bitmaps[2, 20:30, 15:20] = True
    corners = [[10, 5, 30, 20], [40, 40, 60, 60], [15, 20, 20, 30]]
    masked = Detections.from_arrays(corners, [1] * 3, [0, 1, 2], encode_masks(bitmaps))
    bare = Detections.from_arrays(corners, [1] * 3, [0, 1, 2])
    path = export('coco', images[:2], [masked, bare], CLASSES, out=tmp_path / 'labels.json')
    _, (first, second) = read_corrections('coco', str(path), images, CLASSES)
    assert first.masks is not None and first.masks.tolist() == masked.masks.tolist()
    assert second.masks is None and warned == []
    content = json.loads(path.read_text())
    content['annotations'][0]['segmentation'] = [[10, 5, 30, 5, 30, 20, 10, 20]]
    content['annotations'][1]['segmentation'] = []
    content['annotations'][2]['segmentation'] = [[1, 2, 3, 4]]
    path.write_text(json.dumps(content))
    _, (first, _) = read_corrections('coco', str(path), images, CLASSES)
    np.testing.assert_array_equal(decode_masks(first.masks, 96, 64)[0], bitmaps[0])
    assert first.masks[1] is None and first.masks[2] is None and len(first) == 3
    (line,) = warned
    assert line.startswith('1 segmentations of ') and "(e.g. in '000.png': a polygon is" in line


TASK = '{"data": {"mmcompose_key": "000.png"}, "annotations": [{"result": [%s]}]}'
RESULT = '{"type": "rectanglelabels", "original_width": 96, "original_height": 64, "value": %s}'
SOUND = '{"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["dog"]}'
IN_CVAT = '<annotations><image name="000.png"><box %s/></image></annotations>'
SIDES = 'xtl="1" ytl="1" xbr="9" ybr="9"'
NOTES = {
    'as it was exported': ('["found by one and two", "ignored"]', True),
    'edited': ('"found by one and two,ignored"', True),
    'a remark': ('"ignored\\nhalf behind a tree"', True),
    'written by hand': ('" Ignored "', True),
    'taken away': ('"found by one and ignored"', False),
    'of another kind': ('7', False),
}


@pytest.mark.parametrize(('notes', 'expected'), NOTES.values(), ids=NOTES)
def test_a_note_of_label_studio_marks_what_is_ignored(
    notes: str, expected: bool, images: list[Image], tmp_path: Path
) -> None:
    region = (RESULT % SOUND).replace('{', f'{{"meta": {{"text": {notes}}}, ', 1)
    (tmp_path / 'export').write_text(f'[{TASK % region}]')
    _, (found,) = read_corrections('labelstudio', str(tmp_path / 'export'), images, CLASSES)
    assert found.is_ignored.tolist() == [expected]


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


@pytest.mark.parametrize('row', range(3))
@pytest.mark.parametrize('grown', [False, True])
def test_a_yolo_review_of_some_urls_comes_back_as_of_these(
    row: int, grown: bool, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    """Names begin where the reviewed ones differ, not where the pool's do."""
    for image, name in zip(images, ('p/a/1.jpg', 'p/1.jpg', 'p/c/2.jpg', '1.jpg'), strict=True):
        image.key = f's3://bucket/{name}'
    path = export('yolo', [images[row]], [labels[row]], CLASSES, out=tmp_path / 'yolo')
    pool = images if grown else images[:3]
    seen, (found,) = read_corrections('yolo', str(path), pool, CLASSES)
    assert [image.key for image in seen] == [images[row].key]
    assert len(found) == len(labels[row])


def test_classes_are_numbered_by_the_list_that_labelimg_leaves(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    path = export('yolo', images[:3], labels, CLASSES, out=tmp_path / 'yolo')
    # Its own order, and classes that it offers by default.
    (path / 'labels' / 'classes.txt').write_text('person\ndog\ntraffic light\n')
    for number in range(3):
        (path / 'labels' / f'00{number}.txt').write_text('1 0.5 0.5 0.5 0.5\n')
    _, found = read_corrections('yolo', str(path), images, CLASSES)
    assert [each.labels.tolist() for each in found] == [[CLASSES.index('dog')]] * 3
    (path / 'labels' / '000.txt').write_text('3 0.5 0.5 0.5 0.5\n')
    with pytest.raises(UserError, match=r'class 3 in line 1, which classes\.txt does not name'):
        read_corrections('yolo', str(path), images, CLASSES)


# A quarter turn clockwise, about the upper left corner in Label Studio and the center in CVAT.
TURNED = {
    'labelstudio': TASK
    % RESULT
    % '{"x": 50, "y": 25, "width": 25, "height": 25, "rotation": 90, "rectanglelabels": ["dog"]}',
    'cvat': IN_CVAT % 'label="dog" xtl="28" ytl="20" xbr="52" ybr="36" rotation="90.0"',
}


@pytest.mark.parametrize('source', TURNED)
def test_around_a_box_that_is_turned_lies_an_upright_one(
    source: str, images: list[Image], tmp_path: Path, warned: list[str]
) -> None:
    path = tmp_path / 'export'
    path.write_text(f'[{TURNED[source]}]' if source == 'labelstudio' else TURNED[source])
    _, (found,) = read_corrections(source, str(path), images, CLASSES)
    np.testing.assert_allclose(found.boxes, [[32, 16, 48, 40]], atol=1e-4)
    (line,) = warned
    assert line.endswith("are turned: the upright one around each is taken (e.g. in '000.png')")


POLYGON = '{"id": "a", "type": "polygonlabels", "value": {"points": [[1, 1]]}}'
CHOICE = '{"type": "choices", "value": {"choices": ["checked"]}}'
FULL = RESULT.replace('{', '{"id": "b", ', 1)
OF_BOX = '{"id": "b", "type": "choices", "value": {"x": 1, "y": 1, "choices": ["far"]}}'
LEFT_OUT = {
    'a polygon': ('labelstudio', TASK % POLYGON, r'1 marks of .* are no boxes .*: 1 polygonlabels'),
    'shapes': (
        'cvat', IN_CVAT.replace('<box %s/>', '<polygon/><mask/><polygon/>'),
        r'3 marks of .* are no boxes and are left out: 2 polygon, 1 mask',
    ),
    'a box beside its picture': (
        'cvat', IN_CVAT % 'label="dog" xtl="100" ytl="1" xbr="120" ybr="9"',
        r"1 boxes of .* lie outside their picture, or have no area: left out \(e\.g\. in '000",
    ),
    'choices': ('labelstudio', TASK % f'{CHOICE}, {FULL % SOUND}, {OF_BOX}', None),
    'a tag': ('cvat', IN_CVAT.replace('<box %s/>', '<tag label="dog"/>'), None),
}  # fmt: skip


@pytest.mark.parametrize(('source', 'content', 'expected'), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_is_left_out_is_counted(
    source: str, content: str, expected: str | None, images: list[Image], tmp_path: Path,
    warned: list[str],
) -> None:  # fmt: skip
    path = tmp_path / 'export'
    path.write_text(f'[{content}]' if source == 'labelstudio' else content)
    read_corrections(source, str(path), images, CLASSES)
    if expected is None:
        assert warned == []
    else:
        (line,) = warned
        assert re.search(expected, line)


TWICE = '<annotations><image name="000.png"/><image name="000.png"/></annotations>'
LISTED = '<annotations><image name="000.png" width="%s" height="%s"/></annotations>'
COCO_OF = (
    '{"images": [{"id": 1, "file_name": "000.png", "width": %s, "height": 64}], '
    '"categories": [{"id": 1, "name": "dog"}], "annotations": []}'
)
CONTRADICTORY = {
    'a picture twice': ('cvat', TWICE, r"corrected: '000\.png' is there twice, in "),
    'a task twice': (
        'labelstudio', f'{TASK % ""}, {TASK % ""}', r"corrected: '000\.png' is there twice, in "
    ),
    'a size in CVAT': (
        'cvat', LISTED % (64, 96), r"'000\.png' is listed as 64x96, but the picture is 96x64 pixels"
    ),
    'a size in COCO': ('coco', COCO_OF % 48, r'is listed as 48x64, but the picture is 96x64'),
    'a size in Label Studio': (
        'labelstudio', (TASK % RESULT % SOUND).replace('96', '192'), r'is listed as 192x64, but'
    ),
    'a turned picture': (
        'labelstudio', (TASK % RESULT % SOUND).replace('"value"', '"image_rotation": 90, "value"'),
        r'has a turned picture in result\[0\] of tasks\[0\]: turn it back',
    ),
}  # fmt: skip


@pytest.mark.parametrize(('source', 'content', 'told'), CONTRADICTORY.values(), ids=CONTRADICTORY)
def test_what_contradicts_the_pool_is_one_line(
    source: str, content: str, told: str, images: list[Image], tmp_path: Path
) -> None:
    path = tmp_path / 'export'
    path.write_text(f'[{content}]' if source == 'labelstudio' else content)
    with pytest.raises(UserError, match=told) as raised:
        read_corrections(source, str(path), images, CLASSES)
    assert len(raised.value.lines) == 1


def test_a_size_that_is_the_pictures_is_no_contradiction(
    images: list[Image], tmp_path: Path, warned: list[str]
) -> None:
    for source, content in (('cvat', LISTED % (96, 64)), ('coco', COCO_OF % 96)):
        (tmp_path / 'export').write_text(content)
        seen, _ = read_corrections(source, str(tmp_path / 'export'), images, CLASSES)
        assert [image.key for image in seen] == ['000.png'] and warned == []


def test_of_pictures_that_differ_in_their_ending_the_exported_one_is_meant(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    twin = Image('000.jpg', str(tmp_path / '000.jpg'), 30, 20)
    pool = [*images, twin]
    folder = export('yolo', images[:1], labels[:1], CLASSES, out=tmp_path / 'yolo')
    seen, found = read_corrections('yolo', str(folder), pool, CLASSES)
    assert [image.key for image in seen] == ['000.png']
    np.testing.assert_allclose(found[0].boxes, labels[0].boxes, atol=0.01)
    for link in (folder / 'images').iterdir():
        link.unlink()
    with pytest.raises(UserError, match=r"'000' may be of each of 000\.jpg, 000\.png"):
        read_corrections('yolo', str(folder), pool, CLASSES)
