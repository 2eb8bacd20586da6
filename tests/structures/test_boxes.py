"""Areas and overlaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from mmcompose.structures import Detections, areas, intersections, iou
from tests.labeling.toys import QUICK, detections


@pytest.mark.parametrize(
    ('other', 'shared', 'expected'),
    [
        ([0, 0, 10, 10], 100, 1.0),
        ([5, 0, 15, 10], 50, 50 / 150),
        ([10, 0, 20, 10], 0, 0.0),
        ([20, 20, 30, 30], 0, 0.0),
        ([2, 2, 4, 4], 4, 4 / 100),
        ([3, 3, 3, 9], 0, 0.0),
    ],
)
def test_overlap_of_two_boxes(other: list[float], shared: float, expected: float) -> None:
    one, two = np.array([[0, 0, 10, 10]], np.float32), np.array([other], np.float32)
    assert intersections(one, two) == pytest.approx(np.array([[shared]]))
    assert iou(one, two) == pytest.approx(np.array([[expected]]))


def test_boxes_without_area_overlap_nothing() -> None:
    point = np.array([[3, 3, 3, 3]], np.float32)
    assert areas(point).tolist() == [0]
    assert iou(point, point).tolist() == [[0]]


def test_no_boxes() -> None:
    none, one = np.zeros((0, 4), np.float32), np.ones((1, 4), np.float32)
    assert areas(none).shape == (0,)
    assert iou(none, one).shape == (0, 1)
    assert iou(one, none).shape == (1, 0)


@QUICK
@given(first=detections([0]), second=detections([0]))
def test_iou_is_a_symmetric_fraction(first: Detections, second: Detections) -> None:
    overlaps = iou(first.boxes, second.boxes)
    assert ((overlaps >= 0) & (overlaps <= 1)).all()
    np.testing.assert_array_equal(overlaps, iou(second.boxes, first.boxes).T)
