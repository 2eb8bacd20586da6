"""Judging detections, and cutting their scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmcompose.labeling.compute.matching import judge
from mmcompose.labeling.thresholds.fbeta import fbeta_threshold
from mmcompose.labeling.thresholds.mixture import mixture_threshold
from mmcompose.labeling.thresholds.precision import precision_threshold
from mmcompose.labeling.thresholds.prior import count_threshold
from tests.labeling.toys import found

BOX, NEAR, FAR = [0, 0, 50, 50], [0, 0, 50, 40], [100, 0, 150, 50]


@pytest.mark.parametrize(
    ('said', 'verdicts'),
    [
        ([(BOX, 0.9, 0)], [1]),
        ([(BOX, 0.9, 1)], [0]),
        ([(FAR, 0.9, 0)], [0]),
        # One true box is found once, by the more confident.
        ([(BOX, 0.5, 0), (NEAR, 0.9, 0)], [0, 1]),
        # The second true box is a difficult one.
        ([(FAR, 0.9, 2)], [-1]),
        ([(FAR, 0.9, 2), (FAR, 0.8, 2)], [-1, -1]),
        ([], []),
    ],
)
def test_judging(said: list[tuple[list[float], float, int]], verdicts: list[int]) -> None:
    truth = found((BOX, 1, 0), (FAR, 1, 2))
    truth = replace(truth, ignore=np.array([False, True]))
    assert judge(found(*said), truth).tolist() == verdicts


def test_what_lies_in_a_crowd_is_not_judged() -> None:
    crowd = found(([0, 0, 200, 200], 1, 0), (BOX, 1, 0))
    crowd = replace(crowd, ignore=np.array([True, False]))
    boxes = found(
        (BOX, 0.9, 0), (NEAR, 0.8, 0), (FAR, 0.7, 0), (FAR, 0.7, 1), ([190, 0, 250, 9], 0.6, 0)
    )
    assert judge(boxes, crowd).tolist() == [1, -1, -1, 0, 0]


def test_nothing_is_right_where_nothing_is() -> None:
    assert judge(found((BOX, 0.9, 0)), found()).tolist() == [0]


@pytest.mark.parametrize(
    ('count', 'expected'), [(1, 0.9), (2, 0.8), (2.4, 0.8), (4, 0.1), (5, 0.0), (0, 1.0)]
)
def test_threshold_of_a_count(count: float, expected: float) -> None:
    assert count_threshold(np.array([0.1, 0.9, 0.3, 0.8]), count) == expected


@pytest.mark.parametrize(
    ('right', 'precision', 'expected'),
    [
        ([1, 1, 1, 1], 0.9, 0.2),
        ([1, 1, 0, 0], 0.9, 0.8),
        ([1, 0, 1, 1], 0.75, 0.2),
        ([0, 0, 0, 0], 0.5, 1.0),
    ],
)
def test_threshold_of_a_precision(right: list[int], precision: float, expected: float) -> None:
    scores = np.array([0.9, 0.8, 0.5, 0.2])
    assert precision_threshold(scores, np.array(right, bool), precision) == expected


def test_a_threshold_never_splits_a_tie() -> None:
    scores, right = np.array([0.9, 0.5, 0.5]), np.array([True, True, False])
    assert precision_threshold(scores, right, 1.0) == 0.9
    assert fbeta_threshold(scores, right, 2, 1.0) == 0.5


@pytest.mark.parametrize(('beta', 'expected'), [(0.3, 0.9), (3.0, 0.2)])
def test_threshold_of_an_f_beta(beta: float, expected: float) -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.2])
    right = np.array([True, False, False, True])
    assert fbeta_threshold(scores, right, 2, beta) == expected
    assert fbeta_threshold(scores, np.zeros(4, bool), 2, beta) == 1.0


@pytest.mark.parametrize('share', [0.1, 0.5, 0.8])
def test_a_mixture_is_cut_between_its_parts(share: float) -> None:
    rng = np.random.default_rng(0)
    wrong, right = rng.normal(0.15, 0.05, 1000), rng.normal(0.75, 0.08, int(1000 * share))
    scores = np.concatenate([wrong, right]).clip(0, 1)
    threshold = mixture_threshold(scores)
    assert 0.25 < threshold < 0.6
    assert mixture_threshold(scores[::-1]) == threshold
    assert mixture_threshold(scores, 0.99) >= threshold
