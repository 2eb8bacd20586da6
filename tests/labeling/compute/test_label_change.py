"""Tests of label_change: what counts as the same label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmcompose.labeling import label_change
from mmcompose.structures import Detections

BOXES = Detections.from_arrays([[0, 0, 10, 10], [20, 0, 30, 10]], [0.9, 0.8], [0, 1])


def _ignored(*flags: bool) -> Detections:
    return replace(BOXES, ignore=np.array(flags))


@pytest.mark.parametrize(
    ('before', 'after', 'changed'),
    [
        (BOXES, BOXES, 0.0),
        (BOXES, _ignored(False, False), 0.0),
        (BOXES, BOXES[:1], 1 / 3),
        (BOXES, Detections(), 1.0),
        (Detections(), Detections(), 0.0),
        (BOXES, replace(BOXES, labels=np.array([0, 0])), 0.5),
        (BOXES, _ignored(True, False), 0.5),
        (_ignored(True, True), _ignored(True, True), 0.0),
        (BOXES, replace(BOXES, boxes=BOXES.boxes + np.float32(1)), 0.0),
        (BOXES, replace(BOXES, boxes=BOXES.boxes + np.float32(5)), 1.0),
        (BOXES, replace(BOXES, scores=BOXES.scores / 2), 0.0),
    ],
)
def test_a_box_is_the_same_in_its_place_class_and_band(
    before: Detections, after: Detections, changed: float
) -> None:
    assert label_change([(before, after)]).changed == pytest.approx(changed)
    assert label_change([(after, before)]).changed == pytest.approx(changed)


def test_boxes_are_counted_by_band_over_all_images() -> None:
    change = label_change([(BOXES, _ignored(True, False)), (BOXES, Detections())])
    assert (change.kept, change.ignored, change.same) == ((4, 1), (0, 1), 1)


def test_a_double_of_one_box_is_a_change() -> None:
    twice = Detections.concatenate([BOXES[:1], BOXES[:1]])
    assert label_change([(BOXES[:1], twice)]).changed == pytest.approx(1 / 3)
