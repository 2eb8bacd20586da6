"""Tests of score: detections of anyone through CocoMetric."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mmcompose.evaluation import score
from mmcompose.structures import Detections

CLASSES = ('cat', 'dog', 'cow')
BOXES = [[0, 0, 40, 40], [50, 10, 90, 60]]


def _info(*labels: int, ignored: int = 0) -> dict[str, Any]:
    instances = [
        {'bbox': BOXES[n], 'bbox_label': label, 'ignore_flag': ignored}
        for n, label in enumerate(labels)
    ]
    return {'height': 64, 'width': 96, 'instances': instances}


def _found(*labels: int) -> Detections:
    return Detections.of(BOXES[: len(labels)], [0.9] * len(labels), labels)


INFOS = [_info(0, 1), _info(0), _info()]


def test_perfect_detections_score_one() -> None:
    scores = score(INFOS, [_found(0, 1), _found(0), Detections()], CLASSES)
    assert scores.mAP == scores.AP50 == 1
    assert scores.by_class['cat'] == scores.by_class['dog'] == 1


def test_a_class_without_truth_has_no_score() -> None:
    scores = score(INFOS, [_found(0, 1), _found(0), Detections()], CLASSES)
    assert math.isnan(scores.by_class['cow'])


def test_nothing_found_scores_zero_where_there_is_truth() -> None:
    scores = score(INFOS, [Detections()] * 3, CLASSES)
    assert scores.mAP == scores.AP50 == 0
    assert scores.by_class['cat'] == scores.by_class['dog'] == 0
    assert math.isnan(scores.by_class['cow'])


def test_half_of_a_class_found_scores_half_of_it() -> None:
    scores = score(INFOS, [_found(0, 1), Detections(), Detections()], CLASSES)
    assert scores.by_class['cat'] == pytest.approx(0.5, abs=0.01)
    assert scores.by_class['dog'] == 1
    assert scores.mAP == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize('infos', [[_info()], [_info(0, ignored=1)]], ids=['none', 'ignored'])
def test_without_any_truth_there_is_no_score(infos: list[dict[str, Any]]) -> None:
    scores = score(infos, [_found(0)], CLASSES)
    assert math.isnan(scores.mAP)
    assert all(math.isnan(value) for value in scores.by_class.values())


def test_a_mean_over_classes_leaves_out_those_without_truth() -> None:
    scores = score(INFOS, [_found(0, 1), Detections(), Detections()], CLASSES)
    assert scores.mean_over(['dog', 'cow']) == 1
    assert math.isnan(scores.mean_over(['cow']))
