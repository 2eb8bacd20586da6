"""The benchmark of recipes: what a student predicts is scored on each file, in its classes."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'benchmarks'))

from common import ROOT, read_config
from student_recipes import ARMS, SEEDED, runs
from student_scores import Photographs
from student_ways import joined, write_views

# The student's order of classes, which is not the files'.
CLASSES = ['dog', 'cat']


def _file(folder: Path, name: str, images: list[str], boxes: list[tuple[int, str]]) -> None:
    categories = [{'id': number, 'name': each} for number, each in enumerate(['cat', 'dog'], 5)]
    if name == 'some':
        categories = categories[:1]
    ids = {each['name']: each['id'] for each in categories}
    annotations = [
        {'id': number, 'image_id': image, 'category_id': ids[label], 'iscrowd': 0,
         'bbox': [10, 10, 20, 20], 'area': 400}
        for number, (image, label) in enumerate(boxes, start=1)
    ]  # fmt: skip
    content = {
        'images': [
            {'id': number, 'file_name': each, 'width': 64, 'height': 64}
            for number, each in enumerate(images)
        ],
        'annotations': annotations,
        'categories': categories,
    }
    (folder / f'{name}.json').write_text(json.dumps(content))


def _found(name: str, labels: list[int]) -> dict[str, Any]:
    boxes = torch.tensor([[10.0, 10.0, 30.0, 30.0]]).repeat(len(labels), 1)
    predicted = {
        'bboxes': boxes,
        'scores': torch.full((len(labels),), 0.9),
        'labels': torch.tensor(labels),
    }
    return {'img_path': f'/anywhere/{name}', 'pred_instances': predicted}


def test_each_file_is_scored_in_its_own_classes_on_its_first_images(tmp_path: Path) -> None:
    _file(tmp_path, 'val', ['1.jpg', '2.jpg'], [(0, 'cat'), (1, 'dog')])
    _file(tmp_path, 'some', ['3.jpg', '4.jpg'], [(0, 'cat'), (1, 'cat')])
    photographs = Photographs(tmp_path, {'some': 1, 'val': 2})
    photographs.write(tmp_path / 'all.json')
    written = json.loads((tmp_path / 'all.json').read_text())
    assert [each['file_name'] for each in written['images']] == ['3.jpg', '1.jpg', '2.jpg']
    assert written['annotations'] == []
    # The dog in 3.jpg is of a class that its file does not know; a cat is taken for a dog in 2.jpg.
    samples = [_found('3.jpg', [1, 0]), _found('1.jpg', [1]), _found('2.jpg', [1])]
    (tmp_path / 'found.pkl').write_bytes(pickle.dumps(samples))
    scores = photographs.score(tmp_path / 'found.pkl', CLASSES)
    assert scores['some'] == pytest.approx(1.0)
    assert 0 < scores['val'] < 1


def test_every_arm_has_a_config_and_what_it_stands_beside() -> None:
    for config, _, beside in ARMS.values():
        arm = read_config(ROOT / 'configs' / 'compose' / 'protocol' / f'{config}.py')
        assert arm.model.type == 'ATSS'
        assert beside == '' or ARMS[beside][2] == ''
    assert {*SEEDED} <= {*ARMS}
    assert len(list(runs(list(ARMS), 2))) == len(ARMS) + len(SEEDED)
    assert list(runs(['oracle', 'dense scores'], 3)) == [
        ('oracle', 0), ('dense scores', 0), ('oracle', 1), ('oracle', 2),
    ]  # fmt: skip


def test_views_are_stored_as_the_student_sees_pictures(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    assert cv2.imwrite(str(tmp_path / 'a b.jpg'), pixels)
    images = [{'id': 4, 'file_name': 'a b.jpg', 'width': 120, 'height': 90}]
    source = tmp_path / 'pool.json'
    source.write_text(json.dumps({'images': images, 'categories': []}))
    steps = [
        {'type': 'LoadImageFromFile'},
        {'type': 'RandomCrop', 'crop_size': (64, 64), 'allow_negative_crop': True},
    ]
    listed = write_views(source, tmp_path, tmp_path / 'views', 2, steps)
    views = json.loads(listed.read_text())['images']
    assert [each['file_name'] for each in views] == ['a b_0.jpg', 'a b_1.jpg']
    for each in views:
        stored = cv2.imread(str(tmp_path / 'views' / 'images' / each['file_name']))
        assert stored.shape[:2] == (each['height'], each['width']) == (64, 64)


def test_found_boxes_are_added_to_labels_with_whole_weight() -> None:
    boxes = HorizontalBoxes(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    labels = InstanceData(bboxes=boxes, labels=torch.tensor([7]), weights=torch.tensor([0.5]))
    found = InstanceData(
        bboxes=torch.tensor([[5.0, 6.0, 7.0, 8.0]]),
        labels=torch.tensor([3]),
        scores=torch.tensor([0.4]),
    )
    both = joined(labels, found)
    assert both.bboxes.tensor.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert both.labels.tolist() == [7, 3] and both.weights.tolist() == [0.5, 1.0]
