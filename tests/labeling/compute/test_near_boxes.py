"""Boxes that can overlap enough are found without a look at all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcompose.labeling.compute.near_boxes import best_scores, cover_half, pairs_of_classes
from mmcompose.structures import Detections, areas, intersections, iou
from tests.labeling.toys import THOROUGH, detections

THRESHOLDS = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.55, 0.7, 0.9, 1.0])


@THOROUGH
@given(found=detections([0, 1], most=14), iou_thr=THRESHOLDS)
def test_pairs_are_those_of_all_pairs(found: Detections, iou_thr: float) -> None:
    rows, columns = pairs_of_classes(found.boxes, iou_thr)
    expected = np.argwhere(np.triu(iou(found.boxes, found.boxes) > iou_thr, 1))
    pairs = {(min(pair), max(pair)) for pair in zip(rows.tolist(), columns.tolist(), strict=True)}
    assert pairs == {tuple(pair) for pair in expected.tolist()}
    assert len(pairs) == len(rows)


@THOROUGH
@given(found=detections([0, 1], most=9), others=detections([0, 1], most=9), iou_thr=THRESHOLDS)
def test_the_best_score_is_that_of_all_pairs(
    found: Detections, others: Detections, iou_thr: float
) -> None:
    arrays = (others.boxes, others.labels, others.scores)
    result = best_scores(found.boxes, found.labels, *arrays, 2, iou_thr)
    there = iou(found.boxes, others.boxes) >= max(iou_thr, 1e-6)
    there &= found.labels[:, None] == others.labels[None, :]
    expected = np.where(there, others.scores[None, :], -1).max(axis=1, initial=-1)
    np.testing.assert_array_equal(result, expected.astype(np.float32))


@THOROUGH
@given(found=detections([0], most=9), others=detections([0], most=9))
def test_boxes_that_cover_half_of_another(found: Detections, others: Detections) -> None:
    others = others[areas(others.boxes) > 0]
    covered = intersections(found.boxes, others.boxes) >= 0.5 * areas(others.boxes)
    np.testing.assert_array_equal(cover_half(found.boxes, others.boxes), covered.any(axis=1))


@pytest.mark.parametrize('iou_thr', [0.3, 0.5, 0.7])
def test_overlaps_on_the_edge_are_decided_as_by_numpy(iou_thr: float) -> None:
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0, 4000, (400, 4)).astype(np.float32)
    boxes[:, 2:] = boxes[:, :2] + rng.uniform(1, 900, (400, 2)).astype(np.float32)
    # A box and one that is cut at a share of its width or height, from the right or left, from
    # below or above: their IoU is the threshold, nearly.
    cuts = [boxes]
    for side in range(4):
        cut, other = boxes.copy(), (side + 2) % 4
        cut[:, side] = cut[:, other] + (cut[:, side] - cut[:, other]) * np.float32(iou_thr)
        shift = np.float32([0.5, 0, 0.5, 0] if side % 2 == 0 else [0, 0.5, 0, 0.5])
        cuts += [cut, cut + shift]
    both = np.concatenate(cuts)
    rows, columns = pairs_of_classes(both, iou_thr)
    expected = np.argwhere(np.triu(iou(both, both) > iou_thr, 1))
    assert len(rows) == len(expected) > 100
    pairs = {(min(pair), max(pair)) for pair in zip(rows.tolist(), columns.tolist(), strict=True)}
    assert pairs == {tuple(pair) for pair in expected.tolist()}
