"""One reader of COCO files: what can be meant is read, what cannot is one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmcompose.structures import coco as coco_module
from mmcompose.structures.coco import parse_coco, read_coco
from mmcompose.utils import UserError

IMAGES = [{'id': 1, 'file_name': 'a.jpg', 'width': 64, 'height': 48}]
CATEGORIES = [{'id': 1, 'name': 'cat'}, {'id': 5, 'name': 'dog'}]
BOX = {'id': 1, 'image_id': 1, 'category_id': 5, 'bbox': [4, 4, 20, 10], 'area': 150, 'iscrowd': 0}


def _content(**changes: Any) -> dict[str, Any]:
    return {'images': IMAGES, 'categories': CATEGORIES, 'annotations': [BOX], **changes}


def _read(**changes: Any) -> Any:
    return parse_coco(_content(**changes), 'ann_file', 'a.json')


def test_a_sound_file_is_left_as_it_is() -> None:
    found = _read(info={'year': 2024})
    assert found.content == _content(info={'year': 2024})
    assert found.lost == ()
    assert found.root_categories == []


@pytest.mark.parametrize(
    'changes',
    [
        {'annotations': [{**BOX, 'image_id': '1'}]},
        {'annotations': [{**BOX, 'category_id': 5.0}]},
        {'annotations': [{**BOX, 'category_id': '5'}]},
        {'images': [{**IMAGES[0], 'width': '64', 'height': 48.0}]},
        {'images': {1: {k: v for k, v in IMAGES[0].items() if k != 'id'}}},
        {'images': {'a': IMAGES[0]}},
        {'annotations': {'1': BOX}},
        {'annotations': [{**BOX, 'bbox': ['4', 4, 20, 10]}]},
    ],
)
def test_other_ways_to_write_the_same_are_read(changes: dict[str, Any]) -> None:
    found = _read(**changes)
    assert found.images == IMAGES
    assert found.annotations == [BOX]
    assert found.lost == ()


@pytest.mark.parametrize(
    ('value', 'flag'),
    [(1, 1), (0, 0), (True, 1), ('0', 0), ('1', 1), ('false', 0), ('True', 1), ('', 0), (None, 0)],
)
@pytest.mark.parametrize('name', ['iscrowd', 'ignore'])
def test_a_flag_may_be_written_as_text(name: str, value: Any, flag: int) -> None:
    assert _read(annotations=[{**BOX, name: value}]).annotations[0][name] == flag


@pytest.mark.parametrize('area', [0, None, -3, 'x', float('nan')])
def test_an_area_that_is_none_is_that_of_the_box(area: Any) -> None:
    assert _read(annotations=[{**BOX, 'area': area}]).annotations[0]['area'] == 200


def test_a_missing_area_is_that_of_the_box() -> None:
    without = {key: value for key, value in BOX.items() if key != 'area'}
    assert _read(annotations=[without]).annotations[0]['area'] == 200


def test_a_picture_that_has_a_url_alone_is_named_by_it() -> None:
    url = 'http://images.cocodataset.org/train2017/000000391895.jpg'
    (image,) = _read(images=[{'id': 1, 'coco_url': url}]).images
    assert image['file_name'] == 'train2017/000000391895.jpg'


def test_a_missing_size_is_none() -> None:
    (image,) = _read(images=[{'id': 1, 'file_name': 'a.jpg'}]).images
    assert (image.get('width'), image.get('height')) == (None, None)


def test_names_are_strings() -> None:
    categories = [{'id': 5, 'name': 7}]
    assert _read(categories=categories).categories == [{'id': 5, 'name': '7'}]


def test_annotations_of_one_id_are_two_and_told() -> None:
    found = _read(annotations=[BOX, {**BOX, 'bbox': [0, 0, 9, 9]}])
    assert [each['id'] for each in found.annotations] == [1, 2]
    assert found.lost == ('1 ids are of two annotations or more; all are read (id 1)',)
    # Where nobody gave any, none is lost.
    without = [{key: value for key, value in BOX.items() if key != 'id'}] * 2
    assert [each['id'] for each in _read(annotations=without).annotations] == [1, 2]
    assert _read(annotations=[{**BOX, 'id': [7]}]).annotations == [BOX]
    assert _read(annotations=without).lost == ()


@pytest.mark.parametrize('annotations', [None, [], {}])
def test_truth_without_an_annotation_is_told(annotations: Any) -> None:
    assert _read(annotations=annotations).lost == ('it holds no annotation',)
    # A pool needs none, whatever stands there.
    assert parse_coco(_content(annotations=annotations), 'key', 'a.json', False).lost == ()


def test_a_file_that_was_joined_with_itself_is_told() -> None:
    more = {**BOX, 'bbox': [0, 0, 9, 9]}
    twice = [{**each, 'id': n} for n, each in enumerate([BOX, more, BOX, more])]
    assert _read(annotations=twice).lost == ('each of its 4 annotations is there twice or more',)
    # Two people drew one box alike.
    assert _read(annotations=[*twice[:2], {**BOX, 'id': 9}]).lost == ()


@pytest.mark.parametrize(
    ('more', 'line'),
    [
        (
            {**BOX, 'image_id': 9},
            '1 annotations belong to images that are not listed, and are left out (image 9)',
        ),
        (
            {**BOX, 'bbox': [4, 4, 0, 10]},
            '1 annotations have no width or no height, and are left out (annotations[1])',
        ),
        (
            {**BOX, 'bbox': []},
            '1 annotations have no width or no height, and are left out (annotations[1])',
        ),
    ],
)
def test_what_is_lost_is_counted(more: dict[str, Any], line: str) -> None:
    found = _read(annotations=[BOX, more])
    assert len(found.annotations) == 1
    assert found.lost == (line,)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {'images': [*IMAGES, {**IMAGES[0], 'file_name': 'b.jpg'}]},
            'has one id, 1, in images',
        ),
        (
            {'images': [*IMAGES, {**IMAGES[0], 'id': 2}]},
            'has one file_name, .* in images',
        ),
        (
            {'categories': [*CATEGORIES, {'id': 5, 'name': 'cow'}]},
            'has one id, 5, in categories',
        ),
        ({'categories': [*CATEGORIES, {'id': 6, 'name': 'dog'}]}, "has one name, 'dog'"),
        ({'images': [{'id': 1}]}, r'has no file_name in images\[0\]'),
        ({'images': [{'file_name': 'a'}]}, r'has no id in images\[0\]'),
        ({'images': [{'id': 1, 'file_name': 'a\0b'}]}, r"has no file name but 'a\\x00b'"),
        ({'images': [{**IMAGES[0], 'width': 'wide'}]}, 'has no width and height in whole pixels'),
        ({'images': 'a.jpg'}, 'has images that are no list'),
        ({'images': [7]}, r'has no dict in images\[0\]'),
        ({'annotations': [{**BOX, 'category_id': 4}]}, 'has category 4, which is not listed'),
        ({'annotations': [{**BOX, 'bbox': [1, 2, 3]}]}, r'has no bbox of x, y, width, height'),
        (
            {'annotations': [{**BOX, 'image_id': 4}]},
            'has no sound annotation: 1 annot',
        ),
        ({'annotations': [{**BOX, 'iscrowd': 'no'}]}, "has iscrowd 'no', which is neither 0 nor 1"),
        ({'annotations': [{**BOX, 'ignore': 2}]}, 'has ignore 2, which is neither 0 nor 1'),
        ({'annotations': [{**BOX, 'bbox': [0.1, 0.1, 0.5, 0.5]}]}, 'boxes from 0 to 1, relative'),
        (
            {
                'annotations': [
                    {**BOX, 'id': n, 'bbox': box}
                    for n, box in enumerate([[40, 20, 60, 40], [30, 30, 50, 44], [4, 4, 9, 9]])
                ]
            },
            'leave their pictures as x, y, width, height, and not as x1, y1, x2, y2; allow=',
        ),
    ],
)
def test_what_contradicts_itself_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^ann_file: 'a.json' .*{message}"):
        _read(**changes)


@pytest.mark.parametrize('content', [[], 7, {}, {'images': []}])
def test_what_is_no_coco_file_is_one_line(content: Any) -> None:
    with pytest.raises(UserError, match=r"^ann_file: 'a\.json' is no COCO json"):
        parse_coco(content, 'ann_file', 'a.json')


@pytest.mark.parametrize(
    ('categories', 'expected'),
    [
        ([{'id': 0, 'name': 'pets', 'supercategory': 'none'}], ['pets']),
        ([{'id': 0, 'name': 'zebra', 'supercategory': 'zebra'}], []),
        ([], []),
    ],
)
def test_a_category_that_only_groups_others_is_a_root(
    categories: list[dict[str, Any]], expected: list[str]
) -> None:
    below = [{**each, 'supercategory': 'pets'} for each in CATEGORIES]
    assert _read(categories=[*categories, *below]).root_categories == expected
    # Where somebody annotated it, it is a class.
    used = [{**BOX, 'category_id': each['id']} for each in categories]
    assert _read(categories=[*categories, *below], annotations=[BOX, *used]).root_categories == []


def test_a_list_of_supercategories_groups_nothing() -> None:
    listed = [{**each, 'supercategory': ['pets']} for each in CATEGORIES]
    assert _read(categories=listed).root_categories == []


@pytest.mark.parametrize('number', [0, 1])
def test_a_root_with_the_name_of_a_class_is_left_out(number: int) -> None:
    root = {'id': 5 * number, 'name': 'dogs', 'supercategory': 'none'}
    only = {'id': 5 * (1 - number) + number, 'name': 'dogs', 'supercategory': 'dogs'}
    categories = [root, only][:: 1 - 2 * number]
    box = {**BOX, 'category_id': only['id']}
    assert _read(categories=categories, annotations=[box]).categories == [only]
    # Where both are annotated, nobody knows which is which.
    with pytest.raises(UserError, match="has one name, 'dogs', in categories"):
        _read(categories=categories, annotations=[box, {**box, 'category_id': root['id']}])


def test_a_spot_of_a_pixel_in_the_corner_is_in_pixels() -> None:
    assert len(_read(annotations=[{**BOX, 'bbox': [0, 0, 1, 1]}]).annotations) == 1


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32'])
def test_any_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / 'a.json'
    content = _content(categories=[{'id': 5, 'name': 'Käfer'}])
    path.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    assert read_coco('ann_file', str(path)).categories == [{'id': 5, 'name': 'Käfer'}]


@pytest.mark.parametrize('data', [b'', b'{', b'\x80\x04N.', b'\xff\xff\xff', b'[' * 100_000])
def test_what_is_no_json_is_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / 'a.pkl'
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"^ann_file: '.*a\.pkl' (cannot be|is no text)"):
        read_coco('ann_file', str(path))


def test_what_is_lost_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(coco_module, 'warn', told.append)
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(_content(annotations=[BOX, {**BOX, 'image_id': 9}])))
    read_coco('ann_file', str(path))
    assert told == [
        f'{path}: 1 annotations belong to images that are not listed, and are left out (image 9)'
    ]
