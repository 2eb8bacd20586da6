"""CrossClassSuppression: which names conflict, and which of two boxes stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmcompose.labeling import FUSED, ByTeacher, CrossClassSuppression
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import Scene, apply, bind, built, fit, found, scene

PERSON, CAT, SOFA, DOG = range(4)
HERE, SAME, FAR = [0, 0, 50, 50], [1, 0, 50, 50], [100, 0, 150, 50]


def fused(*boxes: tuple[list[int], float, int, list[int]]) -> ByTeacher:
    plain = found(*((box, score, label) for box, score, label, _ in boxes))
    votes = np.array([votes for *_, votes in boxes], bool).reshape(-1, 3)
    return {FUSED: replace(plain, votes=votes)}


# b says cat where a says sofa, in 12 images of 20; a teacher that says both means both.
CONFLICT = fused((HERE, 0.5, CAT, [1, 0, 0]), (SAME, 0.6, SOFA, [0, 1, 0]))
BOTH = fused((HERE, 0.5, PERSON, [1, 1, 0]), (SAME, 0.6, DOG, [0, 1, 1]))
APART = fused((HERE, 0.5, CAT, [1, 0, 0]), (FAR, 0.6, SOFA, [0, 1, 0]))
POOL: list[tuple[ByTeacher, Scene]] = [
    (image, scene()) for image in (*[CONFLICT] * 12, *[APART] * 8, *[BOTH] * 20)
]


@pytest.fixture(scope='module')
def step() -> CrossClassSuppression:
    made = CrossClassSuppression()
    fit(made, POOL)
    return made


def left(step: CrossClassSuppression, image: ByTeacher) -> list[int]:
    result: Detections = apply(step, image, scene())[FUSED]
    return sorted(result.labels.tolist())


def test_pairs_are_learned_and_listed(step: CrossClassSuppression) -> None:
    assert step.learned == {'pairs': [{'classes': ['cat', 'sofa'], 'count': 12, 'rate': 0.6}]}


@pytest.mark.parametrize(
    'arguments', [{'min_count': 13}, {'min_rate': 0.7}, {'min_score': 0.7}, {'iou_thr': 0.99}]
)
def test_rare_pairs_do_not_conflict(arguments: dict[str, Any]) -> None:
    made = CrossClassSuppression(**arguments)
    fit(made, POOL)
    assert made.learned == {}
    assert left(made, CONFLICT) == [CAT, SOFA]


@pytest.mark.parametrize(
    ('image', 'labels'),
    [
        # More votes first, then the higher score.
        (CONFLICT, [SOFA]),
        (fused((HERE, 0.5, CAT, [1, 1, 0]), (SAME, 0.6, SOFA, [0, 1, 0])), [CAT]),
        (APART, [CAT, SOFA]),
        (BOTH, [PERSON, DOG]),
        (fused(), []),
    ],
)
def test_the_better_supported_stays(
    step: CrossClassSuppression, image: ByTeacher, labels: list[int]
) -> None:
    assert left(step, image) == labels


def test_weights_of_teachers_count(step: CrossClassSuppression) -> None:
    result = apply(step, CONFLICT, scene(weights=[2.0, 1.0, 1.0]))[FUSED]
    assert result.labels.tolist() == [CAT]


def test_a_users_pairs() -> None:
    made = CrossClassSuppression(pairs=[('person', 'dog')], never=[('cat', 'sofa')])
    fit(made, POOL)
    assert left(made, BOTH) == [DOG]
    assert left(made, CONFLICT) == [CAT, SOFA]
    with pytest.raises(UserError, match=r"^never: 'sofaa' is not a class"):
        bind(CrossClassSuppression(never=[('cat', 'sofaa')]), scene())


def test_it_needs_a_fusion() -> None:
    with pytest.raises(UserError, match=r'^type: .*after a fusion'):
        apply(CrossClassSuppression(), {'a': found((HERE, 0.5, CAT))}, scene())


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ({'iou_thr': 2}, '^step.iou_thr: 2'),
        ({'min_count': 0}, '^step.min_count: 0'),
        ({'min_rate': -1}, '^step.min_rate: -1'),
        ({'min_score': 3}, '^step.min_score: 3'),
        ({'pairs': ['cat']}, "^step.pairs: .*'cat'.* is not a list"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        built(CrossClassSuppression, **arguments)
