"""Tests of the COCO export: every box matches itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmcompose.store.exports import to_coco
from mmcompose.structures import Detections, Image, encode_masks
from tests.store.toys import mapped

CLASSES = ('zebra', 'ant', 'mole')


@pytest.fixture
def exported(tmp_path: Path) -> str:
    images = [Image(f'{number}.png', '', 96, 64) for number in range(3)]
    found = [
        Detections.from_arrays([[0, 0, 40, 40], [50, 10, 90, 60]], [0.9, 0.8], [0, 1]),
        Detections(),
        Detections.from_arrays([[5, 5, 45, 45]], [0.7], [2]),
    ]
    table = mapped(tmp_path, found)
    path = tmp_path / 'export.json'
    path.write_text(json.dumps(to_coco(images, table, CLASSES)))
    return str(path)


def test_every_box_matches_itself(exported: str) -> None:
    truth = COCO(exported)
    found = truth.loadRes([dict(each) for each in truth.dataset['annotations']])
    evaluation = COCOeval(truth, found, 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)
    # An annotation with id 0 counts as unmatched.
    assert all((each['dtMatches'] > 0).all() for each in evaluation.evalImgs if each)
    assert min(truth.anns) == 1


def test_categories_stand_in_the_students_order(exported: str) -> None:
    categories = COCO(exported).dataset['categories']
    assert [category['name'] for category in categories] == list(CLASSES)
    assert [category['id'] for category in categories] == [1, 2, 3]


def test_images_without_labels_are_listed(exported: str) -> None:
    assert len(COCO(exported).imgs) == 3


def test_ignored_boxes_are_crowds(tmp_path: Path) -> None:
    box = Detections.from_arrays([[0, 0, 40, 40]], [0.4], [0])
    box = Detections(box.boxes, box.scores, box.labels, ignore=np.array([True]))
    image = Image('a.png', '', 96, 64)
    table = mapped(tmp_path, [box])
    exported = to_coco([image], table, CLASSES)
    assert exported['annotations'][0]['iscrowd'] == 1


def test_masks_are_exported_and_match_themselves(tmp_path: Path) -> None:
    image = Image('a.png', '', 96, 64)
    bitmaps = np.zeros((2, 64, 96), bool)
    bitmaps[0, 5:20, 10:30] = bitmaps[0, 20:30, 15:20] = True
    found = Detections.from_arrays(
        [[10, 5, 30, 30], [40, 40, 60, 60]], [0.9, 0.8], [0, 1], encode_masks(bitmaps)
    )
    table = mapped(tmp_path, [found])
    exported = to_coco([image], table, CLASSES)
    path = tmp_path / 'export.json'
    path.write_text(json.dumps(exported))
    truth = COCO(str(path))
    np.testing.assert_array_equal(truth.annToMask(truth.anns[1]), bitmaps[0])
    assert truth.anns[1]['area'] == bitmaps[0].sum()
    # A box without a mask is a box.
    assert 'segmentation' not in truth.anns[2] and truth.anns[2]['area'] == 400
