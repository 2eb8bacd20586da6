"""The benchmark of recipes: what a student predicts is scored on each file, in its classes."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'benchmarks'))

from common import ROOT, read_config
from student_recipes import ARMS, SEEDED, runs
from student_scores import Photographs

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
    assert len(list(runs(list(ARMS)))) == len(ARMS) + len(SEEDED)
