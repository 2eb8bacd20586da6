"""Results and label texts as users have them: read without a warning, or refused in a line."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Detections, Image, image_size
from mmcompose.teachers import evidence
from mmcompose.teachers.coco_results import image_ids, results_json, yolo_texts
from mmcompose.utils import UserError, allowing

BOX = [60, 10, 90, 30]
RESULT = {'image_id': 1, 'category_id': 1, 'bbox': [60, 10, 30, 20], 'score': 0.9}
IMAGE = {'id': 1, 'file_name': '1.png', 'width': 96, 'height': 64}
OTHER = {**IMAGE, 'id': 2, 'file_name': 'b/2.png'}
CATEGORIES = [{'id': 1, 'name': 'spot'}]


def _both(**changes: Any) -> list[dict[str, Any]]:
    return [{**RESULT, **changes}, {**RESULT, 'image_id': 2, **changes}]


def _without(entry: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != key}


TWO, IMAGES = _both(), [IMAGE, OTHER]
IDS_AS_TEXT = [{**each, 'image_id': str(each['image_id'])} for each in TWO]
IDS_AS_FLOATS = [{**each, 'image_id': float(each['image_id'])} for each in TWO]
ELSEWHERE = [{**each, 'file_name': f'/data/pool/{each["file_name"]}'} for each in IMAGES]
SWAPPED = [{**each, 'width': 64, 'height': 96} for each in IMAGES]

# Results, images, categories.
READ: dict[str, tuple[Any, Any, Any]] = {
    'as COCO has them': (TWO, IMAGES, CATEGORIES),
    'in another order': (TWO[::-1], IMAGES[::-1], CATEGORIES),
    'boxes of floats': (_both(bbox=[60.0, 10.0, 30.0, 20.0]), IMAGES, CATEGORIES),
    'boxes of text': (_both(bbox=['60', '10', '30', '20']), IMAGES, CATEGORIES),
    'more keys': (_both(area=600, iscrowd=0, id=7), IMAGES, CATEGORIES),
    'category 90 of one': (_both(category_id=90), IMAGES, [{'id': 90, 'name': 'spot'}]),
    'image ids as text': (IDS_AS_TEXT, IMAGES, CATEGORIES),
    'image ids as floats': (IDS_AS_FLOATS, IMAGES, CATEGORIES),
    'category ids as text': (_both(category_id='1'), IMAGES, CATEGORIES),
    'a name of Windows': (TWO, [IMAGE, {**OTHER, 'file_name': 'b\\2.png'}], CATEGORIES),
    'a name from here': (TWO, [{**IMAGE, 'file_name': './1.png'}, OTHER], CATEGORIES),
    'names of another machine': (TWO, ELSEWHERE, CATEGORIES),
    'sizes as text': (TWO, [{**IMAGE, 'width': '96', 'height': '64'}, OTHER], CATEGORIES),
    'sizes of null': (TWO, [{**IMAGE, 'width': None, 'height': None}, OTHER], CATEGORIES),
    'sizes of 0': (TWO, [{**IMAGE, 'width': 0, 'height': 0}, OTHER], CATEGORIES),
}

NAMED = [{**IMAGE, 'file_name': 'one.v1.png'}, {**OTHER, 'file_name': 'b/two.v1.png'}]


def _ids(*ids: Any) -> list[dict[str, Any]]:
    return [{**each, 'image_id': id_} for each, id_ in zip(TWO, ids, strict=True)]


# As the tool that is named writes results of pictures whose names are more than numbers.
READ_BY_NAME: dict[str, Any] = {
    'ids': TWO,
    'the name of Ultralytics': _ids('one.v1', 'two.v1'),
    'the whole name': _ids('one.v1.png', 'b/two.v1.png'),
    'the name without its folder': _ids('one.v1.png', 'two.v1.png'),
    'a name beside the id': [
        {**each, 'file_name': name} for each, name in zip(TWO, ('one.v1', 'two.v1'), strict=True)
    ],
    'the whole name beside the id': [
        {**each, 'file_name': name}
        for each, name in zip(TWO, ('/data/one.v1.png', 'b/two.v1.png'), strict=True)
    ],
}
REFUSED_BY_NAME: dict[str, Any] = {
    'another name': (_ids('one.v1', 'three.v1'), "no image_id of .* but 'three.v1' in entry 1"),
    'one name of many': (_ids('one.v1', 'two'), "no image_id of .* but 'two' in entry 1"),
    'names in another order': (
        [{**each, 'file_name': name} for each, name in zip(TWO, ('two.v1', 'one.v1'), strict=True)],
        "is of 'two.v1', but image id 1 is 'one.v1.png'.*; allow=\\['file-names'\\]",
    ),
}

# The same, and what is told.
REFUSED: dict[str, tuple[Any, Any, Any, str]] = {
    'categories from 0': (_both(category_id=0), IMAGES, CATEGORIES, 'category_id of .* but 0'),
    'an entry of no picture': (
        [*TWO, {**RESULT, 'image_id': 3}], IMAGES, CATEGORIES, 'but 3 in entry 2'
    ),
    'a name with spaces': (
        TWO, [{**IMAGE, 'file_name': ' 1.png'}, OTHER], CATEGORIES, "none is named '1.png'"
    ),
    'a suffix in capitals': (
        TWO, [{**IMAGE, 'file_name': '1.PNG'}, OTHER], CATEGORIES, "did you mean '1.PNG'"
    ),
    'a quoted name': (
        TWO, [IMAGE, {**OTHER, 'file_name': 'b%2F2.png'}], CATEGORIES, "none is named 'b/2.png'"
    ),
    'another folder': (
        TWO, [IMAGE, {**OTHER, 'file_name': 'c/2.png'}], CATEGORIES, "none is named 'b/2.png'"
    ),
    'one file twice': (
        TWO, [IMAGE, {**OTHER, 'file_name': '1.png'}], CATEGORIES, r"has one file_name, '1\.png'"
    ),
    'a dict': ({'annotations': TWO}, IMAGES, CATEGORIES, 'is no list of results'),
    'a name that is a folder': (
        TWO, [IMAGE, {**OTHER, 'file_name': '.'}], CATEGORIES, "none is named 'b/2.png'"
    ),
    'an entry a line': (
        '\n'.join(map(json.dumps, TWO)), IMAGES, CATEGORIES, 'cannot be read as json'
    ),
    'corners': (_both(bbox=BOX), IMAGES, CATEGORIES, 'and not as x1, y1, x2, y2; allow='),
    'corners within the picture': (
        [{**RESULT, 'bbox': box} for box in ([60, 30, 90, 60], [5, 5, 20, 20], [40, 10, 80, 40])],
        IMAGES, CATEGORIES, 'leave their pictures as x, y, width, height, and not as x1, y1, x2, y2'
    ),
    'middles': (
        [{**RESULT, 'bbox': box} for box in ([86, 30, 16, 20], [84, 54, 20, 18], [20, 10, 8, 8])],
        IMAGES, CATEGORIES, 'and not as cx, cy, width, height; allow='
    ),
    'names of the tool, and ids': (
        IDS_AS_TEXT, [{**IMAGE, 'file_name': '2.png'}, {**OTHER, 'file_name': 'b/1.png'}],
        CATEGORIES, "image_id '1' .* is the id of '2.png', and the name of 'b/1.png'; allow="
    ),
    'percentages': (_both(score=90), IMAGES, CATEGORIES, r'scores in \[90, 90\], not in'),
    'no scores': (
        [_without(each, 'score') for each in TWO], IMAGES, CATEGORIES, 'has no score in'
    ),
    'a score that is NaN': (_both(score=float('nan')), IMAGES, CATEGORIES, 'no score but nan'),
    'a box of a dict': (_both(bbox={'x': 60}), IMAGES, CATEGORIES, 'no bbox of .* entry 0'),
    'a box of three numbers': (_both(bbox=[60, 10, 30]), IMAGES, CATEGORIES, 'no bbox of .* in'),
    'no box': (_both(bbox=None), IMAGES, CATEGORIES, 'no bbox of .* entry 0'),
    'a negative width': (_both(bbox=[60, 10, -30, 20]), IMAGES, CATEGORIES, 'negative width'),
    'width and height swapped': (TWO, SWAPPED, CATEGORIES, '64x96, but the picture is 96x64'),
    'one name of two categories': (
        TWO, IMAGES, [*CATEGORIES, {'id': 2, 'name': 'spot'}], "has one name, 'spot'"
    ),
    'a category without a name': (TWO, IMAGES, [{'id': 1}], r'has no name in categories\[0\]'),
    'no picture': (TWO, [], CATEGORIES, 'belongs to any of 2 pictures'),
}  # fmt: skip

LINE = '0 0.78125 0.3125 0.3125 0.3125 0.55\n'

READ_TEXTS: dict[str, bytes] = {
    'as Ultralytics has it': LINE.encode(),
    'lines of Windows': LINE.replace('\n', '\r\n').encode(),
    'tabs': LINE.replace(' ', '\t').encode(),
    'empty lines and spaces': f'\n{LINE.strip()}   \n\n'.encode(),
    'no last line end': LINE.strip().encode(),
    'a mark of the byte order': b'\xef\xbb\xbf' + LINE.encode(),
    'UTF-16': LINE.encode('utf-16'),
    'a class as a float': LINE.replace('0 ', '0.0 ', 1).encode(),
}
REFUSED_TEXTS: dict[str, tuple[str, str]] = {
    'commas': (LINE.replace(' ', ','), 'line 1'),
    'decimal commas': (LINE.replace('.', ','), 'line 1'),
    'a header': (f'class x y w h conf\n{LINE}', 'line 1'),
    'a class by name': (LINE.replace('0 ', 'spot ', 1), 'line 1'),
    'a class without a name': (LINE.replace('0 ', '7 ', 1), 'predicts class number 7'),
    'a negative class': (LINE.replace('0 ', '-1 ', 1), 'predicts class number -1'),
    'an oriented box': ('0 0.6 0.1 0.9 0.1 0.9 0.5 0.6 0.5 0.55\n', 'line 1'),
    'no score': ('0 0.78125 0.3125 0.3125 0.3125\n', 'line 1'),
    'half a line': (f'{LINE}0 0.78125 0.31\n', 'line 2'),
    'percentages': ('0 78.1 31.2 31.2 31.2 55\n', 'whole numbers up to 55 in the sixth column'),
    'NaN': ('0 nan 0.3 0.3 0.3 0.5\n', 'line 1'),
    'the score first': (
        '0 0.95 0.5 0.5 0.2 0.3\n0 0.9 0.2 0.7 0.3 0.2\n0 0.85 0.7 0.3 0.2 0.2\n',
        'leave their pictures as cx, cy, .* and not as score, cx, cy, width, height; allow=',
    ),
    'corners': (
        '0 0.5 0.5 0.9 0.9 0.8\n0 0.6 0.1 0.9 0.5 0.7\n0 0.1 0.6 0.3 0.95 0.66\n',
        'and not as x1, y1, x2, y2, score; allow=',
    ),
    'scores that are all 1': (LINE.replace('0.55', '1') * 2, "sixth column .*'whole-scores'"),
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    warnings: list[str] = []
    for module in (evidence, results_json, yolo_texts):
        if hasattr(module, 'warn'):
            monkeypatch.setattr(module, 'warn', warnings.append)
    return warnings


def _replay(folder: Path, names: list[str], **config: Any) -> list[Detections]:
    images = []
    for name in names:
        path = folder / 'pool' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((64, 96, 3), 60, np.uint8))
        images.append(Image(name, str(path), *image_size(str(path))))
    teacher = build(TEACHERS, {'type': 'mmcompose.COCOResultsTeacher', **config}, 'teacher')
    teacher.check_pool(images)
    found: list[Detections] = teacher.predict(images)
    return found


def _results(folder: Path, results: Any, images: Any, categories: Any) -> list[Detections]:
    content = {'r.json': results, 'i.json': {'images': images, 'categories': categories}}
    for name, each in content.items():
        (folder / name).write_text(each if isinstance(each, str) else json.dumps(each))
    files = {'results': str(folder / 'r.json'), 'images': str(folder / 'i.json')}
    return _replay(folder, ['1.png', 'b/2.png'], **files)


def _texts(folder: Path, content: bytes) -> list[Detections]:
    (folder / 'labels').mkdir()
    (folder / 'labels' / '1.txt').write_bytes(content)
    return _replay(folder, ['1.png'], results=str(folder / 'labels'), classes=['spot'])


@pytest.mark.parametrize('content', READ.values(), ids=READ)
def test_results_are_read(content: tuple[Any, Any, Any], tmp_path: Path, told: list[str]) -> None:
    found = _results(tmp_path, *content)
    assert [each.boxes.tolist() for each in found] == [[BOX], [BOX]]
    assert told == []


def _by_name(folder: Path, results: Any) -> list[Detections]:
    content = {'r.json': results, 'i.json': {'images': NAMED, 'categories': CATEGORIES}}
    for name, each in content.items():
        (folder / name).write_text(json.dumps(each))
    files = {'results': str(folder / 'r.json'), 'images': str(folder / 'i.json')}
    return _replay(folder, ['one.v1.png', 'b/two.v1.png'], **files)


@pytest.mark.parametrize('results', READ_BY_NAME.values(), ids=READ_BY_NAME)
def test_results_are_read_by_name(results: Any, tmp_path: Path, told: list[str]) -> None:
    assert [each.boxes.tolist() for each in _by_name(tmp_path, results)] == [[BOX], [BOX]]
    assert told == []


@pytest.mark.parametrize(('results', 'message'), REFUSED_BY_NAME.values(), ids=REFUSED_BY_NAME)
def test_results_of_no_name_are_refused(results: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        _by_name(tmp_path, results)


def _of_names(*names: str) -> list[dict[str, Any]]:
    return [{**IMAGE, 'id': 10 + number, 'file_name': name} for number, name in enumerate(names)]


SAME_END = ('1.png', 'train/1.png', 'train/two.v1.png', 'val/1.png', 'val/two.v1')


@pytest.mark.parametrize(
    ('id_', 'name'),
    [
        ('1.png', '1.png'),
        ('train/1.png', 'train/1.png'),
        ('train/1', 'train/1.png'),
        ('val/two.v1', 'val/two.v1'),
        ('two.v1.png', 'train/two.v1.png'),
    ],
)
def test_the_same_path_goes_before_a_common_end(id_: str, name: str) -> None:
    images = image_ids.ImageIds('r.json', _of_names(*SAME_END))
    assert images.name_of({'image_id': id_}, 0) == name


def test_a_name_as_ultralytics_writes_it_for_two_is_doubted() -> None:
    images = image_ids.ImageIds('r.json', _of_names(*SAME_END))
    with pytest.raises(UserError, match=r"'1' in 'r\.json' may be '1\.png' or 'train/1"):
        images.name_of({'image_id': '1'}, 0)
    with allowing(['file-names']):
        assert images.name_of({'image_id': '1'}, 0) == '1.png'


@pytest.mark.parametrize('id_', ['2', '2.png'])
def test_a_name_of_two_folders_is_refused(id_: str, tmp_path: Path) -> None:
    rows, listed = [{**RESULT, 'image_id': id_}], _of_names('1.png', 'a/2.png', 'b/2.png')
    with pytest.raises(UserError, match=f"has image_id '{id_}', which may be 'a/2.png' or 'b/2.p"):
        _results(tmp_path, rows, listed, CATEGORIES)


ELSE = {**IMAGE, 'id': 3, 'file_name': 'else.png'}


@pytest.mark.parametrize(
    ('rows', 'is_refused'),
    [
        ([], False),
        ([RESULT], False),
        ([RESULT, {**RESULT, 'image_id': 3}], False),
        # Of the other half of a data set, whose images are in one file.
        ([{**RESULT, 'image_id': 3}], True),
    ],
)
def test_results_of_no_picture_of_the_pool_are_refused(
    rows: list[Any], is_refused: bool, tmp_path: Path
) -> None:
    refused = pytest.raises(UserError, match=r'is of 1 pictures \(else\.png\), of which none')
    with refused if is_refused else nullcontext():
        one, other = _results(tmp_path, rows, [*IMAGES, ELSE], CATEGORIES)
        assert (len(one), len(other)) == (RESULT in rows, 0)


def test_results_that_are_there_twice_count_once(tmp_path: Path, told: list[str]) -> None:
    rows = [RESULT, {**RESULT, 'score': 0.4}]
    found, _ = _results(tmp_path, [*rows, *rows, *_both()[1:]], IMAGES, CATEGORIES)
    assert len(found) == 2
    assert told == [f'{tmp_path / "r.json"}: 2 results are there twice, and count once']


def test_a_text_that_was_appended_to_counts_once(tmp_path: Path, told: list[str]) -> None:
    (found,) = _texts(tmp_path, f'{LINE}0 0.5 0.5 0.2 0.2 0.4\n'.encode() * 2)
    assert found.scores.tolist() == [np.float32(0.55), np.float32(0.4)]
    assert [line.split(': ')[1] for line in told] == ['2 lines are there twice, and count once']


def test_what_is_allowed_is_read(tmp_path: Path) -> None:
    with allowing(['box-form', 'outside-boxes', 'file-names', 'whole-scores']):
        rows = _both(bbox=BOX, file_name='b/2.png')
        assert len(_results(tmp_path, rows, IMAGES, CATEGORIES)) == 2
        (found,) = _texts(tmp_path, LINE.replace('0.55', '1').encode() * 2)
    assert found.scores.tolist() == [1, 1]


@pytest.mark.parametrize('content', REFUSED.values(), ids=REFUSED)
def test_results_are_refused(content: tuple[Any, Any, Any, str], tmp_path: Path) -> None:
    *files, message = content
    with pytest.raises(UserError, match=message) as caught:
        _results(tmp_path, *files)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize('content', READ_TEXTS.values(), ids=READ_TEXTS)
def test_texts_are_read(content: bytes, tmp_path: Path, told: list[str]) -> None:
    (found,) = _texts(tmp_path, content)
    assert found.boxes.tolist() == [BOX]
    assert found.scores.tolist() == [np.float32(0.55)]
    assert told == []


@pytest.mark.parametrize('content', REFUSED_TEXTS.values(), ids=REFUSED_TEXTS)
def test_texts_are_refused(content: tuple[str, str], tmp_path: Path) -> None:
    text, message = content
    with pytest.raises(UserError, match=message) as caught:
        _texts(tmp_path, text.encode())
    assert len(str(caught.value).splitlines()) == 1
