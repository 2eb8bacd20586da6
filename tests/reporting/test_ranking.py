"""Tests of which pictures come first in a review."""

from __future__ import annotations

import numpy as np

from mmcompose.reporting.ranking import doubts, support
from mmcompose.structures import Detections

# Two teachers; the third class is known to the second alone.
OWNERS = np.array([[True, True], [True, True], [False, True]])
BOTH, FIRST, SECOND = [True, True], [True, False], [False, True]


def _labels(*rows: tuple[int, float, list[bool]], spread: float = 0.1) -> Detections:
    labels, scores, votes = zip(*rows, strict=True)
    boxes = np.tile([0, 0, 10, 10], (len(rows), 1))
    found = Detections.from_arrays(boxes, scores, labels)
    spreads = np.full(len(rows), spread, np.float32)
    return Detections(
        found.boxes, found.scores, found.labels, votes=np.array(votes), spread=spreads
    )


def _order(*labels: Detections) -> list[int]:
    return np.argsort(-np.array(doubts(labels, OWNERS)), kind='stable').tolist()


def test_what_one_of_two_owners_found_comes_before_what_both_did() -> None:
    assert _order(_labels((0, 0.6, BOTH)), _labels((0, 0.6, FIRST))) == [1, 0]


def test_its_only_owner_is_enough() -> None:
    assert _order(_labels((0, 0.6, FIRST)), _labels((2, 0.6, SECOND))) == [0, 1]
    assert doubts([_labels((2, 0.6, SECOND), spread=0)], OWNERS) == [0]


def test_boxes_that_lie_apart_are_in_doubt() -> None:
    assert _order(_labels((0, 0.6, BOTH)), _labels((0, 0.6, BOTH), spread=0.4)) == [1, 0]


def test_doubt_of_an_uncertain_box_counts_more() -> None:
    sure = _labels((0, 0.99, FIRST), (0, 0.5, BOTH))
    uncertain = _labels((0, 0.99, BOTH), (0, 0.5, FIRST))
    assert _order(sure, uncertain) == [1, 0]


def test_doubt_of_a_rare_class_counts_more() -> None:
    common = _labels((0, 0.6, FIRST), (1, 0.6, BOTH))
    rare = _labels((0, 0.6, BOTH), (1, 0.6, FIRST))
    many = [_labels((0, 0.6, BOTH))] * 5
    assert _order(common, rare, *many)[:2] == [1, 0]


def test_a_picture_without_boxes_is_not_in_doubt() -> None:
    assert doubts([Detections()], OWNERS) == [0.0]


def test_who_did_not_predict_on_a_picture_does_not_dissent() -> None:
    labels = [_labels((0, 0.6, votes), spread=0) for votes in (BOTH, FIRST, FIRST)]
    assert doubts(labels, OWNERS, [(), (1,), ()].__getitem__) == [0, 0, 0.5]
    # It found the box nevertheless, as a step of somebody's own may make it.
    assert support(labels[0], OWNERS, (1,)).tolist() == [1]
    # The student, whose vote stands behind those of the teachers, confirms nothing.
    alone = _labels((0, 0.6, [False, False, True]))
    assert support(alone, OWNERS, (1,)).tolist() == [0]
