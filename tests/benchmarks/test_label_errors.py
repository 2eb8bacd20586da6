"""The benchmark of what each kind of wrong label costs: labels are mended, one kind at a time."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.structures import Detections, Image
from tests.labeling.toys import found

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'benchmarks'))

import label_errors

CAR, ON_CAR = [0, 0, 50, 50], [0, 0, 50, 45]
DOG, ON_DOG = [60, 0, 90, 50], [60, 0, 90, 40]
CAT, BUS, BY_BUS = [10, 60, 40, 90], [100, 0, 140, 40], [100, 20, 140, 60]
MAN, AWAY = [100, 100, 120, 150], [200, 200, 250, 250]


def flagged(*ignored: bool) -> Any:
    return np.array(ignored, np.bool_)


@pytest.fixture
def truth() -> Detections:
    """A car (0), a dog (1), a difficult cat (2), a bus (3) and a man (4)."""
    boxes = found((CAR, 1, 0), (DOG, 1, 1), (CAT, 1, 2), (BUS, 1, 3), (MAN, 1, 4))
    return replace(boxes, ignore=flagged(False, False, True, False, False))


@pytest.fixture
def teacher_detections() -> Detections:
    """Right, second on it, class, difficult, place, nothing; and one to ignore where the man is."""
    boxes = found(
        (ON_CAR, 0.9, 0),
        (CAR, 0.4, 0),
        (ON_DOG, 0.6, 0),
        (CAT, 0.7, 2),
        (BY_BUS, 0.5, 3),
        (AWAY, 0.8, 3),
        (MAN, 0.3, 4),
    )
    return replace(boxes, ignore=flagged(*[False] * 6, True))


def plain(boxes: Detections) -> list[tuple[list[float], int, bool]]:
    assert boxes.ignore is not None
    return list(
        zip(boxes.boxes.tolist(), boxes.labels.tolist(), boxes.ignore.tolist(), strict=True)
    )


def test_one_kind_of_mistake_is_mended_at_a_time(
    teacher_detections: Detections, truth: Detections
) -> None:
    diagnosis = label_errors.Diagnosis.of(teacher_detections, truth)
    right, second, dog, cat, bus, away, ignored = before = plain(teacher_detections)
    mended = {name: plain(mend(diagnosis)) for name, mend in label_errors.MENDS.items()}
    assert mended == {
        'wrong classes': [right, second, (ON_DOG, 1, False), cat, bus, away, ignored],
        'wrong places': [(CAR, 0, False), second, dog, cat, (BUS, 3, False), away, ignored],
        'boxes of nothing': [right, dog, cat, bus, ignored],
        'missed objects': [*before[:-1], (MAN, 4, False), ignored],
    }


def test_right_labels_have_nothing_to_mend(truth: Detections) -> None:
    diagnosis = label_errors.Diagnosis.of(truth, truth)
    for mend in label_errors.MENDS.values():
        assert sorted(plain(mend(diagnosis))) == sorted(plain(truth))


def test_an_object_is_taken_once(truth: Detections) -> None:
    boxes = replace(found((ON_DOG, 0.5, 0), (DOG, 0.6, 3)), ignore=flagged(False, False))
    diagnosis = label_errors.Diagnosis.of(boxes, truth)
    assert diagnosis.kind.tolist() == [label_errors.NOTHING, label_errors.CLASS]
    assert diagnosis.target.tolist() == [-1, 1] and diagnosis.missed == [0, 3, 4]


def test_boxes_come_back_from_a_coco_file_by_class_name(truth: Detections) -> None:
    classes = ['car', 'dog', 'cat', 'bus', 'man']
    images = [Image('a.jpg', 'a.jpg', 300, 300), Image('b.jpg', 'b.jpg', 300, 300)]
    nothing = replace(found(), ignore=flagged())
    written = label_errors.to_coco(images, [nothing, truth], classes)
    assert [each['iscrowd'] for each in written['annotations']] == [0, 0, 1, 0, 0]
    read = dict(label_errors.boxes_of(written, classes))
    assert plain(read['b.jpg']) == plain(truth) and len(read['a.jpg']) == 0
    # Another file counts its categories in another order.
    turned = dict(label_errors.boxes_of(written, classes[::-1]))
    assert turned['b.jpg'].labels.tolist() == [4, 3, 2, 1, 0]
