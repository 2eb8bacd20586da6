"""COCOResultsTeacher: what anyone has already predicted, matched by file name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image, mask_box
from mmcompose.teachers import Teacher
from mmcompose.teachers.coco_results import results_json as results_module
from mmcompose.teachers.coco_results import teacher as teacher_module
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
def test_a_path_may_be_the_end_of_the_other(tmp_path: Path, key: str) -> None:
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
        ({'images': 'no_such.json'}, 'is no file'),
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
        (
            [{**RESULTS[0], 'image_id': 4}],
            r"results: '.*results\.json' has no image_id of the images json but 4 in entry 0$",
        ),
        (
            [RESULTS[0], {**RESULTS[0], 'category_id': 1}],
            'has no category_id of the images json but 1 in entry 1$',
        ),
        ([{'image_id': 3}], 'has no bbox of x, y, width, height in entry 0$'),
        ([{**RESULTS[0], 'bbox': '1234'}], "width, height but '1234' in entry 0$"),
        ([{**RESULTS[0], 'bbox': [1, 2, 3]}], r'width, height but \[1, 2, 3\] in entry 0$'),
        ([{**RESULTS[0], 'bbox': [1, 2, 3, None]}], r'height but \[1, 2, 3, None\] in entry 0$'),
        ([{k: v for k, v in RESULTS[0].items() if k != 'score'}], 'has no score in entry 0$'),
        ([{**RESULTS[0], 'score': None}], 'has no score but None in entry 0$'),
        ([{**RESULTS[0], 'score': float('nan')}], 'has no score but nan in entry 0$'),
        ([{k: v for k, v in RESULTS[0].items() if k != 'image_id'}], 'no image_id in entry 0$'),
        ({'annotations': []}, 'is no list of results'),
        ([{**RESULTS[0], 'score': 7}], 'scores in'),
    ],
)
def test_results_that_do_not_fit_are_told(tmp_path: Path, results: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _teacher(tmp_path, results).predict([_image('train/1.jpg')])


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    for module in (teacher_module, results_module):
        monkeypatch.setattr(module, 'warn', told.append)
    return told


LISTED = [{'id': 1, 'file_name': 'a.jpg'}, {'id': 2, 'file_name': 'b.jpg'}]
ONE = {'image_id': 1, 'category_id': 17, 'bbox': [1, 2, 10, 20], 'score': 0.5}


def _listed(*images: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {'images': list(images), 'categories': IMAGES['categories'], **more}


@pytest.mark.parametrize(
    ('results', 'images'),
    [
        ([ONE], _listed(*LISTED)),
        # Ids as strings in one file and numbers in the other; other entries; other fields.
        ([{**ONE, 'image_id': '1', 'category_id': '17'}], _listed(*LISTED)),
        ([{**ONE, 'file_name': 'a.jpg'}], _listed(*LISTED)),
        ([{**ONE, 'file_name': 'val/a.png'}], _listed(*LISTED)),
        ([ONE], _listed({'id': 1, 'file_name': 'a.jpg', 'width': 100, 'height': 50}, LISTED[1])),
        # Categories that group others are no classes, if nobody uses them.
        (
            [ONE],
            {
                'images': LISTED,
                'categories': [
                    {'id': 0, 'name': 'pets', 'supercategory': 'none'},
                    *({**each, 'supercategory': 'pets'} for each in IMAGES['categories']),
                ],
            },
        ),
    ],
)
def test_what_is_sound_passes_without_a_warning(
    tmp_path: Path, results: Any, images: Any, warnings: list[str]
) -> None:
    teacher = _teacher(tmp_path, results, images)
    pool = [_image('a.jpg'), _image('b.jpg')]
    teacher.check_pool(pool)
    found, empty = teacher.predict(pool)
    assert teacher.classes == ('dog', 'cat')
    assert (found.boxes.tolist(), found.labels.tolist()) == ([[1, 2, 11, 22]], [1])
    assert (len(empty), empty.asked) == (0, True)
    assert warnings == []


SMALL = {'id': 1, 'file_name': 'a.jpg', 'width': 50, 'height': 25}


@pytest.mark.parametrize(
    ('results', 'images', 'message'),
    [
        (
            [{**ONE, 'file_name': 'b.jpg'}],
            _listed(*LISTED),
            r"entry 0 of .* is of 'b\.jpg', but image id 1 is 'a\.jpg'",
        ),
        ([ONE], _listed(LISTED[0], {**LISTED[0], 'file_name': 'b.jpg'}), 'has one id, 1'),
        ([ONE], _listed(LISTED[0], {**LISTED[0], 'id': 2}), "has one file_name, 'a.jpg'"),
        (
            [ONE],
            {'images': LISTED, 'categories': [{'id': 17, 'name': n} for n in 'ab']},
            'one id, 17',
        ),
        (
            [ONE],
            _listed(SMALL, LISTED[1]),
            'is listed as 50x25, but the picture is 100x50 pixels; rescale=True',
        ),
        (
            [ONE],
            _listed({**SMALL, 'width': 50, 'height': 100}, LISTED[1]),
            'is listed as 50x100, .* turned by its EXIF orientation',
        ),
        ([{**ONE, 'bbox': [0.1, 0.1, 0.5, 0.5]}], _listed(*LISTED), '^boxes: .* relative'),
        ([{**ONE, 'bbox': [900, 1, 5, 5]}] * 2, _listed(*LISTED), '^boxes: 2 of 2 lie outside'),
    ],
)
def test_results_that_contradict_themselves_are_one_line(
    tmp_path: Path, results: Any, images: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        _teacher(tmp_path, results, images).predict([_image('a.jpg'), _image('b.jpg')])


def test_results_of_resized_copies_may_be_scaled(tmp_path: Path) -> None:
    mask = [[5, 5, 15, 5, 15, 15, 5, 15]]
    rows = [ONE, {**ONE, 'bbox': [5, 5, 10, 10], 'segmentation': mask}]
    teacher = _teacher(tmp_path, rows, _listed(SMALL), rescale=True)
    (found,) = teacher.predict([_image('a.jpg')])
    assert found.boxes.tolist() == [[2, 4, 22, 44], [10, 10, 30, 30]]
    assert found.masks is not None and found.masks[0] is None
    assert mask_box(found.masks[1], 100, 50) == (10, 10, 30, 30)
    turned = _listed({**SMALL, 'width': 50, 'height': 100})
    with pytest.raises(UserError, match='turned by its EXIF orientation'):
        _teacher(tmp_path, rows, turned, rescale=True).predict([Image('a.jpg', 'a', 100, 50)])


@pytest.mark.parametrize(
    ('listed', 'is_told'),
    [((50, 25), False), ((33, 17), False), ((7, 3), False), ((64, 64), True), ((60, 25), True)],
)
def test_results_of_copies_of_another_shape_are_told_once(
    tmp_path: Path, warnings: list[str], listed: tuple[int, int], is_told: bool
) -> None:
    sizes = {'width': listed[0], 'height': listed[1]}
    images = _listed(*({**each, **sizes} for each in LISTED))
    _teacher(tmp_path, [ONE], images, rescale=True).predict([_image('a.jpg'), _image('b.jpg')])
    told = (
        f"'a.jpg' is listed as {listed[0]}x{listed[1]}, but the picture is 100x50 pixels: "
        'boxes are scaled by different factors, which is wrong of a padded or cropped copy'
    )
    assert warnings == [told] * is_told


@pytest.mark.parametrize('on_unmatched', ['error', 'warn', 'no_boxes'])
def test_a_picture_of_another_folder_is_not_listed(
    tmp_path: Path, on_unmatched: str, warnings: list[str]
) -> None:
    images = _listed({'id': 1, 'file_name': 'train/a.jpg'})
    teacher = _teacher(tmp_path, [ONE], images, on_unmatched=on_unmatched)
    pool = [_image('train/a.jpg'), _image('val/a.jpg')]
    if on_unmatched == 'error':
        for ask in (teacher.check_pool, teacher.predict):
            with pytest.raises(UserError, match=r"images: none is named 'val/a\.jpg'"):
                ask(pool)
        return
    teacher.check_pool(pool)
    found, other = teacher.predict(pool)
    assert (len(found), found.asked, len(other)) == (1, True, 0)
    # Not to be asked is not to find nothing.
    assert other.asked == (on_unmatched == 'no_boxes')
    told = ["1 of 2 pictures ('val/a.jpg') are not listed, and not voted on"]
    assert warnings == (told if on_unmatched == 'warn' else [])


def test_an_entry_serves_one_picture_of_the_pool(tmp_path: Path) -> None:
    images = _listed({'id': 1, 'file_name': 'a.jpg'})
    with pytest.raises(UserError, match=r"'a\.jpg' may be 'train/a\.jpg' or 'val/a\.jpg'"):
        _teacher(tmp_path, [ONE], images).check_pool([_image('train/a.jpg'), _image('val/a.jpg')])
    # Whether they are asked about together or one by one.
    teacher = _teacher(tmp_path, [ONE], images)
    teacher.predict([_image('train/a.jpg')])
    with pytest.raises(UserError, match=r"'a\.jpg' may be 'train/a\.jpg' or 'val/a\.jpg'"):
        teacher.predict([_image('val/a.jpg')])


def test_scores_that_are_all_1_are_warned_of(tmp_path: Path, warnings: list[str]) -> None:
    _teacher(tmp_path, [{**ONE, 'score': 1}] * 20, _listed(*LISTED)).predict([_image('a.jpg')])
    assert warnings == [f'{tmp_path / "results.json"}: all 20 scores are 1: are they predictions?']


def _texts(folder: Path, texts: dict[str, str]) -> Teacher:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    config = {'results': str(folder), 'classes': ['cat', 'dog']}
    return build(TEACHERS, {'type': 'mmcompose.COCOResultsTeacher', **config}, 'replayed')


LINE = '1 0.5 0.5 0.2 0.4 0.75\n'


@pytest.mark.parametrize(
    ('texts', 'keys'),
    [
        ({'a.txt': LINE}, ['a.jpg']),
        ({'a.txt': LINE}, ['a.jpg', 'b.jpg']),
        ({'a.txt': LINE, 'b.txt': LINE}, ['a.jpg']),
        ({'train/a.txt': LINE, 'val/a.txt': ''}, ['train/a.jpg', 'val/a.jpg']),
        ({'labels/train/a.txt': LINE}, ['images/train/a.jpg']),
        ({'a.txt': LINE, 'classes.txt': 'cat\ndog\n'}, ['a.jpg']),
        ({'a.txt': f'{LINE}0 0.99 0.5 0.1 1.0 1\n'}, ['a.jpg']),
        ({'a.txt': f'\ufeff{LINE}'}, ['a.jpg']),
        ({'a.TXT': LINE}, ['a.jpg']),
        ({'a.Txt': LINE, 'b.txt': LINE}, ['a.jpg', 'b.jpg']),
    ],
)
def test_texts_that_are_sound_pass_without_a_warning(
    tmp_path: Path, texts: dict[str, str], keys: list[str], warnings: list[str]
) -> None:
    teacher, pool = _texts(tmp_path, texts), [_image(key) for key in keys]
    teacher.check_pool(pool)
    found = teacher.predict(pool)
    assert found[0].boxes[0].tolist() == [40, 15, 60, 35]
    assert all(each.asked for each in found)
    assert warnings == []


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        ({'a.txt': '0 75 20 30 20 0.9\n'}, 'line 1 that are not relative'),
        ({'a.txt': f'{LINE}\n0 50 50 20 20 0.9\n'}, 'line 3 that are not relative'),
        ({'a.txt': '0 0.5 0.5 0.2 0.2 1\n', 'b.txt': '0 .5 .5 .2 .2 2\n'}, 'are they track ids'),
        ({'a.txt': '0 0.5 0.5 0.2 0.2 1\n' * 2}, 'whole numbers up to 1 in the sixth column'),
        ({'a.txt': '0.5 0.5 0.5 0.2 0.2 0.3\n'}, 'that is not "class cx cy w h score": line 1'),
        ({'a.txt': '0 nan 0.5 0.2 0.2 0.3\n'}, 'that is not "class cx cy w h score": line 1'),
        ({'a.txt': '2 0.5 0.5 0.2 0.2 0.3\n'}, 'the model predicts class number 2'),
    ],
)
def test_texts_that_are_none_are_one_line(
    tmp_path: Path, texts: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        _texts(tmp_path, texts).predict([_image('a.jpg')])


def test_texts_that_belong_to_nothing_are_told(tmp_path: Path, warnings: list[str]) -> None:
    teacher = _texts(tmp_path, {f'{n}_jpg.rf.0a1b.txt': LINE for n in 'ab'})
    with pytest.raises(UserError, match=r"none of 2 text files \('a_jpg.*to any of 1 pictures"):
        teacher.check_pool([_image('a.jpg')])
    teacher = _texts(tmp_path, {'c.txt': LINE})
    teacher.check_pool([_image('a.jpg'), _image('c.jpg')])
    assert warnings == [
        "1 of 2 pictures ('a.jpg') are not listed, but 2 text files belong to no picture "
        "('a_jpg.rf.0a1b', 'b_jpg.rf.0a1b')"
    ]


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
