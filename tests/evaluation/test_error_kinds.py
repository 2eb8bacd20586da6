"""Tests of the kinds of errors: a box of each, and what counts as missed."""

from __future__ import annotations

import numpy as np
import pytest

from mmcompose.evaluation import diagnose, error_kinds
from mmcompose.structures import Detections

CAR, BUS = 0, 1
OBJECT = [0, 0, 100, 100]


def _boxes(*rows: tuple[list[int], float, int], ignore: list[bool] | None = None) -> Detections:
    boxes, scores, labels = zip(*rows, strict=True)
    found = Detections.from_arrays(boxes, scores, labels)
    marks = None if ignore is None else np.array(ignore)
    return Detections(found.boxes, found.scores, found.labels, ignore=marks)


TRUTH = _boxes((OBJECT, 1, CAR))


@pytest.mark.parametrize(
    ('box', 'label', 'kind', 'missed'),
    [
        ([0, 0, 100, 90], CAR, 'right', 0),
        ([0, 0, 100, 40], CAR, 'localization', 0),
        ([0, 0, 100, 90], BUS, 'classification', 0),
        ([0, 0, 100, 40], BUS, 'both', 1),
        ([0, 0, 100, 5], CAR, 'background', 1),
        ([300, 0, 400, 100], CAR, 'background', 1),
    ],
)
def test_a_box_of_each_kind(box: list[int], label: int, kind: str, missed: int) -> None:
    counts = error_kinds([_boxes((box, 0.9, label))], [TRUTH])
    assert {name: count for name, count in counts.items() if count} == {
        kind: 1,
        **({'missed': 1} if missed else {}),
    }


def test_a_second_box_of_an_object() -> None:
    found = _boxes((OBJECT, 0.9, CAR), ([0, 0, 100, 90], 0.8, CAR))
    counts = error_kinds([found], [TRUTH], as_many=False)
    assert counts['right'] == counts['duplicate'] == 1 and counts['missed'] == 0
    # As many as there are true ones: the second is not looked at.
    assert error_kinds([found], [TRUTH])['duplicate'] == 0


def test_of_boxes_with_one_score_as_many_as_true_ones_are_counted() -> None:
    others = [([x, 0, x + 50, 50], 0.9, CAR) for x in range(200, 1000, 100)]
    images = [_boxes((OBJECT, 0.9, CAR), *others), Detections(), _boxes(*others)]
    counts = error_kinds(images, [TRUTH, Detections(), TRUTH])
    assert counts == {**dict.fromkeys(counts, 0), 'right': 1, 'background': 1, 'missed': 1}


def test_what_the_truth_ignores_is_neither_missed_nor_wrong() -> None:
    crowd = _boxes((OBJECT, 1, CAR), ([200, 0, 300, 100], 1, CAR), ignore=[True, False])
    counts = error_kinds([_boxes((OBJECT, 0.9, CAR))], [crowd])
    assert counts == {**dict.fromkeys(counts, 0), 'missed': 1}


def test_nothing_found_and_nothing_there() -> None:
    assert error_kinds([Detections()], [TRUTH])['missed'] == 1
    assert sum(error_kinds([], []).values()) == 0
    assert error_kinds([_boxes((OBJECT, 0.9, CAR))], [Detections()], False)['background'] == 1


def _info(*labels: int, covered: tuple[int, ...] | None = None) -> dict[str, object]:
    instances = [{'bbox': OBJECT, 'bbox_label': label, 'ignore_flag': 0} for label in labels]
    return {'instances': instances, **({} if covered is None else {'covered_classes': covered})}


def test_a_detector_misses_nothing_of_classes_that_it_does_not_know() -> None:
    found = diagnose([_info(CAR, BUS)], [_boxes((OBJECT, 0.75, CAR))], known=[CAR])
    assert found.errors['right'] == 1 and found.errors['missed'] == 0
    assert found.right[7] == 1 and found.scores[7] == 0.75
    assert np.isnan(np.delete(found.right, 7)).all()
    assert found.calibration_error == 0.25


def test_boxes_of_classes_that_nobody_labeled_are_not_judged() -> None:
    boxes = _boxes((OBJECT, 0.9, CAR), ([300, 0, 400, 100], 0.9, BUS))
    found = diagnose([_info(CAR, covered=(CAR,))], [boxes], known=[CAR, BUS])
    assert sum(found.errors.values()) == found.errors['right'] == 1
