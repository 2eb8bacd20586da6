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
from mmcompose.utils import UserError

IMAGE = {'id': 1, 'file_name': '1.png', 'width': 96, 'height': 64}
SPOT = {'id': 1, 'name': 'spot'}
BOX = {'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [60, 10, 30, 20], 'area': 600}


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {'log': [], 'warn': []}
    for module in (coco_truth, class_space_dataset):
        monkeypatch.setattr(module, 'log', lines['log'].append)
    monkeypatch.setattr(coco, 'warn', lines['warn'].append)
    return lines


def _dataset(
    folder: Path, classes: tuple[str, ...] = ('spot',), test_mode: bool = True, **content: Any
) -> ClassSpaceDataset:
    cv2.imwrite(str(folder / '1.png'), np.zeros((64, 96, 3), np.uint8))
    whole = {'images': [IMAGE], 'annotations': [BOX], 'categories': [SPOT], **content}
    (folder / 'truth.json').write_text(json.dumps(whole))
    config = {
        'type': 'mmdet.CocoDataset',
        'ann_file': str(folder / 'truth.json'),
        'data_prefix': {'img': str(folder)},
        'test_mode': test_mode,
        'serialize_data': False,
    }
    dataset = ClassSpaceDataset(config, classes)
    dataset.full_init()
    return dataset


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
