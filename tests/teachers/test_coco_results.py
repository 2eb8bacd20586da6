"""COCOResultsTeacher: what anyone has already predicted, matched by file name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image
from mmcompose.teachers import Teacher
from mmcompose.utils import UserError

# Ids are neither places nor in order, and category ids are not label indices.
IMAGES = {
    'images': [
        {'id': 7, 'file_name': 'val/1.jpg'},
        {'id': 3, 'file_name': 'train/1.jpg'},
        {'id': 9, 'file_name': 'train/2.jpg'},
    ],
    'categories': [{'id': 18, 'name': 'dog'}, {'id': 17, 'name': 'cat'}],
}
RESULTS = [
    {'image_id': 3, 'category_id': 17, 'bbox': [1, 2, 10, 20], 'score': 0.5},
    {'image_id': 7, 'category_id': 18, 'bbox': [5, 5, 5, 5], 'score': 0.25},
    {'image_id': 3, 'category_id': 18, 'bbox': [0, 0, 4, 4], 'score': 0.75},
]


def _image(key: str) -> Image:
    return Image(key, f'/anywhere/{key}', 100, 50)


def _teacher(folder: Path, results: Any = RESULTS, images: Any = IMAGES, **more: Any) -> Teacher:
    (folder / 'results.json').write_text(json.dumps(results))
    (folder / 'images.json').write_text(json.dumps(images))
    config = {
        'type': 'mmcompose.COCOResultsTeacher',
        'results': str(folder / 'results.json'),
        'images': str(folder / 'images.json'),
    }
    return build(TEACHERS, {**config, **more}, 'composition.teachers.replayed')


def test_results_are_found_by_file_name_and_category_name(tmp_path: Path) -> None:
    teacher = _teacher(tmp_path)
    assert teacher.classes == ('dog', 'cat')
    keys = ['train/2.jpg', 'train/1.jpg', 'val/1.jpg']
    none, two, one = teacher.predict([_image(key) for key in keys])
    assert len(none) == 0
    assert two.boxes.tolist() == [[1, 2, 11, 22], [0, 0, 4, 4]]
    assert two.labels.tolist() == [1, 0]
    assert one.scores.tolist() == [0.25]


def test_classes_may_be_put_in_another_order(tmp_path: Path) -> None:
    teacher = _teacher(tmp_path, classes=['cat', 'cow', 'dog'])
    (found,) = teacher.predict([_image('train/1.jpg')])
    assert found.labels.tolist() == [0, 2]


@pytest.mark.parametrize('key', ['data/train/1.jpg', 'train/1.jpg'])
def test_the_longest_common_tail_decides(tmp_path: Path, key: str) -> None:
    (found,) = _teacher(tmp_path).predict([_image(key)])
    assert len(found) == 2


def test_a_short_key_that_fits_two_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'1\.jpg' may be 'val/1\.jpg' or 'train/1\.jpg'"):
        _teacher(tmp_path).predict([_image('1.jpg')])
    (found,) = _teacher(tmp_path).predict([_image('2.jpg')])
    assert len(found) == 0


def test_a_picture_that_is_not_listed_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none is named 'train/22\.jpg'; did you mean '2\.jpg'"):
        _teacher(tmp_path).predict([_image('train/22.jpg')])


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'images': None}, r'^composition\.teachers\.replayed\.images: is missing'),
        ({'classes': ['dog', 'cow']}, "'cat' is missing from them, but a category"),
        ({'results': 'no_such.json'}, 'is no file or folder'),
        ({'images': 'no_such.json'}, 'cannot be read as json'),
    ],
)
def test_a_mistake_is_told_with_its_key(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    _teacher(tmp_path)
    config = {
        'type': 'mmcompose.COCOResultsTeacher',
        'results': str(tmp_path / 'results.json'),
        'images': str(tmp_path / 'images.json'),
    }
    with pytest.raises(UserError, match=message):
        build(TEACHERS, {**config, **changes}, 'composition.teachers.replayed')


@pytest.mark.parametrize(
    ('results', 'message'),
    [
        ([{**RESULTS[0], 'image_id': 4}], 'entry 0 of .* is none of these images'),
        ([RESULTS[0], {**RESULTS[0], 'category_id': 1}], 'entry 1 of '),
        ([{'image_id': 3}], r"KeyError\('bbox'\)"),
        ({'annotations': []}, 'is no list of results'),
        ([{**RESULTS[0], 'score': 7}], 'scores in'),
    ],
)
def test_results_that_do_not_fit_are_told(tmp_path: Path, results: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _teacher(tmp_path, results).predict([_image('train/1.jpg')])


def _folder(tmp_path: Path, **arguments: Any) -> Teacher:
    (tmp_path / 'train').mkdir(exist_ok=True)
    (tmp_path / 'train' / '1.txt').write_text('1 0.5 0.5 0.2 0.4 0.75\n\n0 0.1 0.2 0.2 0.4 1\n')
    (tmp_path / 'train' / '2.txt').write_text('0 0.5 0.5 0.2 0.4\n')
    (tmp_path / 'train' / '3.txt').write_text('')
    config = {'type': 'mmcompose.COCOResultsTeacher', 'results': str(tmp_path)}
    config |= {'classes': ['cat', 'dog']} | arguments
    return build(TEACHERS, config, 'composition.teachers.replayed')


def test_a_folder_of_yolo_text_files(tmp_path: Path) -> None:
    keys = ['train/1.png', 'train/3.jpg', 'train/4.jpg']
    found, empty, absent = _folder(tmp_path).predict([_image(key) for key in keys])
    assert found.boxes.tolist() == [[40, 15, 60, 35], [0, 0, 20, 20]]
    assert found.labels.tolist() == [1, 0]
    assert found.scores.tolist() == [0.75, 1]
    assert len(empty) == len(absent) == 0


def test_mistakes_in_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'2\.txt. has a line that is not "class cx cy w h score"'):
        _folder(tmp_path).predict([_image('train/2.jpg')])
    with pytest.raises(UserError, match='classes: is missing'):
        _folder(tmp_path, classes=None)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(UserError, match='holds no text file'):
        _folder(tmp_path, results=str(tmp_path / 'empty'))
