"""The demo's scenes: what the demo claims of them."""

from __future__ import annotations

import importlib.util
import json
from itertools import combinations
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
COUNTS = {'teacher_a': 3, 'teacher_b': 3, 'unlabeled': 4, 'val': 2, 'test': 5}


@pytest.fixture(scope='module')
def scenes() -> ModuleType:
    import sys

    path = ROOT / 'benchmarks' / 'digit_scenes.py'
    spec = importlib.util.spec_from_file_location('digit_scenes', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up while it is executed.
    sys.modules['digit_scenes'] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def written(scenes: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('scenes')
    scenes.write_scenes(root, seed=3, counts=COUNTS)
    return root


def _files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob('*') if p.is_file()}


def _annotations(root: Path, name: str) -> dict:
    return json.loads((root / 'annotations' / f'{name}.json').read_text())


def test_the_same_seed_writes_the_same_bytes(scenes, written, tmp_path):
    scenes.write_scenes(tmp_path / 'again', seed=3, counts=COUNTS)
    scenes.write_scenes(tmp_path / 'other', seed=4, counts=COUNTS)
    assert _files(tmp_path / 'again') == _files(written)
    assert _files(tmp_path / 'other') != _files(written)


def test_no_handwriting_is_in_two_sets(scenes):
    shares = scenes.split_digits(seed=0)
    for one, other in combinations(shares, 2):
        assert not np.intersect1d(shares[one], shares[other]).size, (one, other)
    assert sum(map(len, shares.values())) == 1797


@pytest.mark.parametrize('name', ['teacher_a', 'unlabeled', 'val', 'test'])
def test_scenes_are_drawn_from_their_own_share_and_show_all_digits(scenes, name):
    share = scenes.split_digits(seed=0)[name]
    drawn = list(scenes.make_scenes(name, 40, seed=0))
    assert np.isin(np.concatenate([scene.sources for scene in drawn]), share).all()
    assert set(np.concatenate([scene.labels for scene in drawn])) == set(range(10))


def test_boxes_are_in_the_picture_and_hardly_overlap(scenes):
    for scene in scenes.make_scenes('test', 20, seed=0):
        assert scene.pixels.shape == (128, 128, 3) and scene.pixels.dtype == np.uint8
        assert 1 <= len(scene.boxes) <= scenes.DIGITS_A_SCENE[1]
        assert (scene.boxes >= 0).all() and (scene.boxes <= 128).all()
        assert (scene.boxes[:, 2:] - scene.boxes[:, :2] >= 4).all()
        for one, other in combinations(scene.boxes, 2):
            assert scenes._iou(one, other) <= 0.1


@pytest.mark.parametrize(
    ('file', 'classes'),
    [
        ('teacher_a', '012345'),
        ('teacher_b', '456789'),
        ('val_a', '012345'),
        ('val_b', '456789'),
        ('unlabeled_truth', '0123456789'),
        ('test', '0123456789'),
    ],
)
def test_a_file_tells_of_its_own_classes_only(written, file, classes):
    content = _annotations(written, file)
    assert [category['name'] for category in content['categories']] == list(classes)
    assert [category['id'] for category in content['categories']] == list(
        range(1, len(classes) + 1)
    )
    known = {category['id'] for category in content['categories']}
    assert content['annotations']
    assert {a['category_id'] for a in content['annotations']} <= known
    # Ids count from 1, or pycocotools drops one match.
    assert min(a['id'] for a in content['annotations']) == 1


def test_the_pool_has_no_labels_and_its_truth_the_same_pictures(written):
    pool, truth = _annotations(written, 'unlabeled'), _annotations(written, 'unlabeled_truth')
    assert pool['annotations'] == [] and pool['categories'] == []
    assert pool['images'] == truth['images']
    for image in pool['images']:
        pixels = cv2.imread(str(written / 'unlabeled' / image['file_name']))
        assert pixels.shape[:2] == (image['height'], image['width'])


def test_teacher_labels_are_the_scenes_digits_that_it_knows(scenes, written):
    drawn = list(scenes.make_scenes('teacher_b', COUNTS['teacher_b'], seed=3))
    content = _annotations(written, 'teacher_b')
    names = {category['id']: category['name'] for category in content['categories']}
    told = [(a['image_id'], names[a['category_id']], *a['bbox']) for a in content['annotations']]
    expected = [
        (number, str(label), box[0], box[1], box[2] - box[0], box[3] - box[1])
        for number, scene in enumerate(drawn, start=1)
        for box, label in zip(scene.boxes.tolist(), scene.labels.tolist(), strict=True)
        if label >= 4
    ]
    assert told == expected
