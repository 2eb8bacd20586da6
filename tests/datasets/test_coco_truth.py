"""Truth that others wrote: boxes count, sizes are known, and what cannot match is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmcompose.datasets import ClassSpaceDataset, class_space_dataset, coco_truth
from mmcompose.structures import coco
from mmcompose.utils import UserError, allowing

IMAGE = {'id': 1, 'file_name': '1.png', 'width': 96, 'height': 64}
SPOT = {'id': 1, 'name': 'spot'}
BOX = {'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [60, 10, 30, 20], 'area': 600}


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {'log': [], 'warn': []}
    for module in (coco_truth, class_space_dataset):
        monkeypatch.setattr(module, 'log', lines['log'].append)
    monkeypatch.setattr(coco, 'warn', lines['warn'].append)
    monkeypatch.setattr(class_space_dataset, 'warn', lines['warn'].append)
    return lines


def _dataset(
    folder: Path,
    classes: tuple[str, ...] = ('spot',),
    test_mode: bool = True,
    filter_cfg: dict[str, Any] | None = None,
    indices: Any = None,
    **content: Any,
) -> ClassSpaceDataset:
    cv2.imwrite(str(folder / '1.png'), np.zeros((64, 96, 3), np.uint8))
    whole = {'images': [IMAGE], 'annotations': [BOX], 'categories': [SPOT], **content}
    (folder / 'truth.json').write_text(json.dumps(whole))
    config = {
        'type': 'mmdet.CocoDataset',
        'ann_file': str(folder / 'truth.json'),
        'data_prefix': {'img': str(folder)},
        'test_mode': test_mode,
        'filter_cfg': filter_cfg,
        'indices': indices,
        'serialize_data': False,
    }
    dataset = ClassSpaceDataset(config, classes)
    dataset.full_init()
    return dataset


def test_a_file_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ann_file: '.*truth.json' lists no image"):
        _dataset(tmp_path, images=[], annotations=[])


def test_a_filter_that_leaves_no_image_is_refused(tmp_path: Path) -> None:
    empty = {'filter_cfg': {'filter_empty_gt': True}, 'test_mode': False}
    with pytest.raises(UserError, match=r"'.*truth.json' has no image that filter_cfg=.* leaves"):
        _dataset(tmp_path, annotations=[], **empty)
    assert len(_dataset(tmp_path, test_mode=False, annotations=[])) == 1


@pytest.mark.parametrize('indices', [0, []])
def test_indices_that_leave_no_image_are_refused(tmp_path: Path, indices: int | list[int]) -> None:
    with pytest.raises(UserError, match=r'^ClassSpaceDataset.dataset.indices: .* leave no image'):
        _dataset(tmp_path, indices=indices)


def _without(entry: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}


@pytest.mark.parametrize('test_mode', [True, False])
@pytest.mark.parametrize(
    'content',
    [
        {},
        {'annotations': [{**BOX, 'area': 0}]},
        {'annotations': [_without(BOX, 'area')]},
        {'annotations': [{**BOX, 'image_id': '1', 'category_id': '1'}]},
        {'images': [_without(IMAGE, 'height')]},
        {'images': [_without(IMAGE, 'width', 'height')]},
        {'images': {'1': _without(IMAGE, 'id')}},
        {'annotations': [{**BOX, 'category_id': 7}], 'categories': [{'id': 7, 'name': 'spot'}]},
        {
            'categories': [
                {'id': 0, 'name': 'marks', 'supercategory': 'none'},
                {**SPOT, 'supercategory': 'marks'},
            ]
        },
    ],
)
def test_a_sound_box_is_read_however_it_is_written(
    tmp_path: Path, content: dict[str, Any], test_mode: bool, told: dict[str, list[str]]
) -> None:
    dataset = _dataset(tmp_path, test_mode=test_mode, **content)
    info = dataset.get_data_info(0)
    assert (info['width'], info['height']) == (96, 64)
    (instance,) = info['instances']
    assert (instance['bbox'], instance['bbox_label']) == ([60, 10, 90, 30], 0)
    assert told['warn'] == []


def test_a_root_category_is_not_labeled_by_the_file(tmp_path: Path) -> None:
    categories = [
        {'id': 0, 'name': 'marks', 'supercategory': 'none'},
        {**SPOT, 'supercategory': 'marks'},
    ]
    dataset = _dataset(tmp_path, ('marks', 'spot'), categories=categories)
    # The absence of marks is no evidence.
    assert dataset.covered_classes == (1,)
    used = _dataset(
        tmp_path,
        ('marks', 'spot'),
        categories=categories,
        annotations=[BOX, {**BOX, 'id': 2, 'category_id': 0}],
    )
    assert used.covered_classes is None


@pytest.mark.parametrize(
    ('name', 'is_told'), [('Spot', True), ('spots', True), ('SPOT-', True), ('dog', False)]
)
def test_truth_of_a_class_that_is_spelled_otherwise_is_warned_of(
    tmp_path: Path, name: str, is_told: bool, told: dict[str, list[str]]
) -> None:
    categories = [{'id': 1, 'name': name}, {'id': 2, 'name': 'stripe'}]
    _dataset(tmp_path, ('spot', 'stripe'), categories=categories)
    warned = [f'ground truth of {name!r} is left out, but' in line for line in told['warn']]
    assert warned == [True] * is_told


# As tools write truth: what is changed of a sound file.
TRUTHS: dict[str, dict[str, Any]] = {
    'CVAT': {
        'images': [{**IMAGE, 'license': 0, 'flickr_url': '', 'date_captured': 0}],
        'annotations': [{**BOX, 'segmentation': [], 'attributes': {'occluded': False}}],
        'licenses': [{'name': '', 'id': 0}],
    },
    'Label Studio': {
        'images': [{**IMAGE, 'id': 0}],
        'categories': [{'id': 0, 'name': 'spot'}],
        'annotations': [{**BOX, 'id': 0, 'image_id': 0, 'category_id': 0, 'ignore': 0}],
    },
    'Roboflow, one class': {
        'categories': [
            {'id': 0, 'name': 'spot', 'supercategory': 'none'},
            {**SPOT, 'supercategory': 'spot'},
        ]
    },
    'FiftyOne': {
        'categories': [{**SPOT, 'id': 0, 'supercategory': None}],
        'annotations': [{**BOX, 'category_id': 0, 'bbox': [60.0, 10.0, 30.0, 20.0]}],
    },
    'LVIS': {
        'images': [{**IMAGE, 'neg_category_ids': [], 'not_exhaustive_category_ids': []}],
        'categories': [{**SPOT, 'synset': 'spot.n.01', 'frequency': 'f'}],
    },
    'Objects365': {'annotations': [{**BOX, 'iscrowd': 0, 'isfake': 0, 'isreflected': 0}]},
    'a mark and a size as text': {'images': [{**IMAGE, 'width': '96', 'height': '64'}]},
}


@pytest.mark.parametrize('content', TRUTHS.values(), ids=TRUTHS)
def test_truth_of_other_tools_is_read(
    tmp_path: Path, content: dict[str, Any], told: dict[str, list[str]]
) -> None:
    (instance,) = _dataset(tmp_path, **content).get_data_info(0)['instances']
    assert (instance['bbox'], instance['bbox_label']) == ([60, 10, 90, 30], 0)
    assert told['warn'] == []


@pytest.mark.parametrize(
    'size', [{'width': 48, 'height': 32}, {'width': 64, 'height': 96}, {'width': 97}]
)
def test_truth_of_copies_of_another_size_is_refused_and_may_be_allowed(
    tmp_path: Path, size: dict[str, int]
) -> None:
    content = {'images': [{**IMAGE, **size}], 'annotations': [{**BOX, 'bbox': [6, 1, 30, 20]}]}
    with pytest.raises(UserError, match=r'but the picture is 96x64 pixels; allow='):
        _dataset(tmp_path, **content)
    with allowing(['listed-sizes']):
        assert len(_dataset(tmp_path, **content)) == 1


@pytest.mark.parametrize('name', ['Spot ', 'dog'])
def test_truth_of_no_class_of_the_student_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        UserError, match=f"labels no class of the student: its classes are '{name}'"
    ):
        _dataset(tmp_path, categories=[{'id': 1, 'name': name}])


def test_what_is_lost_is_told(tmp_path: Path, told: dict[str, list[str]]) -> None:
    more = [
        {**BOX, 'id': 2, 'bbox': [5, 5, 0.5, 0.5]},
        {**BOX, 'id': 3, 'image_id': 9},
        {**BOX, 'id': 4, 'bbox': [5, 5, 0, 5]},
    ]
    dataset = _dataset(tmp_path, annotations=[BOX, *more])
    assert len(dataset.get_data_info(0)['instances']) == 1
    assert [line.split(': ')[1] for line in told['warn']] == [
        '1 annotations belong to images that are not listed, and are left out (image 9)',
        '1 annotations have no width or no height, and are left out (annotations[3])',
    ]
    assert any('1 boxes under one pixel' in line for line in told['log'])
