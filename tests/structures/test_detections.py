"""Detections: selecting, joining, ordering, checking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmcompose.structures import Detections
from tests.labeling.toys import found, permuted, rows


@pytest.fixture
def fused() -> Detections:
    plain = found(([0, 0, 9, 9], 0.5, 1), ([1, 1, 9, 9], 0.9, 0), ([2, 2, 9, 9], 0.5, 0))
    votes = np.array([[True, False], [True, True], [False, True]])
    return replace(plain, votes=votes, cluster_size=np.array([1, 2, 1]))


def test_dtypes_and_shapes_of_lists() -> None:
    made = Detections.from_arrays([[0, 0, 1, 1]], [1], [3])
    assert (made.boxes.dtype, made.scores.dtype, made.labels.dtype) == ('f4', 'f4', 'i8')
    empty = Detections.from_arrays([], [], [])
    assert (empty.boxes.shape, empty.scores.shape, empty.labels.shape) == ((0, 4), (0,), (0,))


@pytest.mark.parametrize('chosen', [[2, 0], slice(1, None), np.array([True, False, True])])
def test_selecting_takes_every_field_along(fused: Detections, chosen: object) -> None:
    part = fused[chosen]  # type: ignore[index]
    np.testing.assert_array_equal(part.boxes, fused.boxes[chosen])
    np.testing.assert_array_equal(part.votes, fused.votes[chosen])
    np.testing.assert_array_equal(part.cluster_size, fused.cluster_size[chosen])
    assert part.spread is None


@pytest.mark.parametrize('number', [1, -2, np.int64(1)])
def test_a_number_selects_one_box(fused: Detections, number: int) -> None:
    one = fused[number]
    assert len(one) == 1 and one.boxes.tolist() == [[1, 1, 9, 9]]
    np.testing.assert_array_equal(one.votes, [[True, True]])
    with pytest.raises(IndexError):
        fused[3]


def test_boxes_are_gone_through_one_by_one(fused: Detections) -> None:
    boxes = [each.boxes for each in fused]
    np.testing.assert_array_equal(np.concatenate(boxes), fused.boxes)


def test_joining(fused: Detections) -> None:
    joined = Detections.concatenate([fused[:1], fused[1:]])
    np.testing.assert_array_equal(joined.votes, fused.votes)
    assert len(Detections.concatenate([])) == 0


def test_order_is_by_score_and_never_by_position(fused: Detections) -> None:
    assert fused.sorted().scores.tolist() == pytest.approx([0.9, 0.5, 0.5])
    assert fused.sorted().labels.tolist() == [0, 0, 1]
    for seed in range(5):
        np.testing.assert_array_equal(permuted(fused, seed).sorted().boxes, fused.sorted().boxes)


def test_only_flagged_boxes_are_ignored(fused: Detections) -> None:
    assert not fused.is_ignored.any() and len(fused.kept()) == 3
    banded = replace(fused, ignore=np.array([True, False, True]))
    assert banded.is_ignored.tolist() == [True, False, True]
    np.testing.assert_array_equal(banded.kept().boxes, fused.boxes[1:2])


def test_rows_of_unequal_number_are_a_programmers_mistake() -> None:
    with pytest.raises(AssertionError, match='scores has 2 rows, boxes have 1'):
        Detections.from_arrays([[0, 0, 1, 1]], [0.5, 0.5], [0])


def test_clipping_drops_what_is_outside() -> None:
    clipped = found(([-5, -5, 5, 5], 0.5, 0), ([20, 0, 30, 5], 0.6, 1)).clipped(10, 10)
    assert rows(clipped) == [(0, 0, 5, 5, 0.5, 0)]
