"""The benchmark of what each kind of wrong label costs: labels are mended, one kind at a time."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.structures import Detections
from tests.labeling.toys import found

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'benchmarks'))

import label_errors

CAR, NEAR_CAR, DOG, CAT = [0, 0, 50, 50], [0, 0, 50, 45], [60, 0, 90, 50], [10, 60, 40, 90]


def flagged(*ignored: bool) -> Any:
    return np.array(ignored, np.bool_)


@pytest.fixture
def truth() -> Detections:
    """A car, a dog, and a difficult cat."""
    boxes = found((CAR, 1, 0), (DOG, 1, 1), (CAT, 1, 2))
    return replace(boxes, ignore=flagged(False, False, True))


@pytest.fixture
def said() -> Detections:
    """The car, badly placed; a car where the dog is; the difficult cat; a box to ignore."""
    boxes = found((NEAR_CAR, 0.9, 0), (DOG, 0.6, 0), (CAT, 0.7, 2), (DOG, 0.3, 2))
    return replace(boxes, ignore=flagged(False, False, False, True))


def plain(boxes: Detections) -> list[tuple[list[float], int, bool]]:
    assert boxes.ignore is not None
    return list(
        zip(boxes.boxes.tolist(), boxes.labels.tolist(), boxes.ignore.tolist(), strict=True)
    )


def test_one_kind_of_mistake_is_mended_at_a_time(said: Detections, truth: Detections) -> None:
    as_they_are = plain(said)
    assert plain(label_errors.as_they_are(said, truth)) == as_they_are
    mended = plain(label_errors.without_wrong_boxes(said, truth))
    assert mended == [as_they_are[0], as_they_are[2], as_they_are[3]]
    mended = plain(label_errors.with_missed_boxes(said, truth))
    assert mended == [*as_they_are, (DOG, 1, False)]
    mended = plain(label_errors.in_their_true_place(said, truth))
    assert mended == [(CAR, 0, False), *as_they_are[1:]]


def test_boxes_come_back_from_a_coco_file_by_class_name(truth: Detections) -> None:
    images = [{'id': 7, 'file_name': 'a.jpg'}, {'id': 3, 'file_name': 'b.jpg'}]
    categories = [{'id': n, 'name': name} for n, name in ((4, 'car'), (2, 'dog'), (9, 'cat'))]
    coco = {'images': images, 'categories': categories, 'annotations': []}
    nothing = replace(found(), ignore=flagged())
    written = label_errors.to_coco(coco, {'a.jpg': nothing, 'b.jpg': truth})
    assert [each['category_id'] for each in written['annotations']] == [4, 2, 9]
    assert [each['iscrowd'] for each in written['annotations']] == [0, 0, 1]
    read = dict(label_errors.boxes_of(written, ['car', 'dog', 'cat']))
    assert plain(read['b.jpg']) == plain(truth) and len(read['a.jpg']) == 0
    # Another file counts its categories in another order.
    turned = dict(
        label_errors.boxes_of({**written, 'categories': categories[::-1]}, ['cat', 'dog', 'car'])
    )
    assert turned['b.jpg'].labels.tolist() == [2, 1, 0]
