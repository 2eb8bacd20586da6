"""CrossClassSuppression: which names conflict, and which of two boxes stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmcompose.labeling import FUSED, ByTeacher, CrossClassSuppression
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import TEACHERS, Scene, apply, bind, built, fit, found, scene

PERSON, CAT, SOFA, DOG = range(4)
HERE, SAME, FAR = [0, 0, 50, 50], [1, 0, 50, 50], [100, 0, 150, 50]


def fused(*boxes: tuple[list[int], float, int, list[int]]) -> ByTeacher:
    plain = found(*((box, score, label) for box, score, label, _ in boxes))
    votes = np.array([votes for *_, votes in boxes], bool).reshape(-1, 3)
    return {FUSED: replace(plain, votes=votes)}


# Two teachers mix up cats and sofas; one gives person and dog to one object, 12 times in 20.
CONFLICT = fused((HERE, 0.5, CAT, [1, 0, 0]), (SAME, 0.6, SOFA, [0, 1, 0]))
BOTH = fused((HERE, 0.5, PERSON, [1, 0, 1]), (SAME, 0.6, DOG, [0, 0, 1]))
APART = fused((HERE, 0.5, DOG, [0, 0, 1]), (FAR, 0.6, PERSON, [0, 0, 1]))
POOL: list[tuple[ByTeacher, Scene]] = [
    (image, scene()) for image in (*[BOTH] * 12, *[APART] * 8, *[CONFLICT] * 20)
]


@pytest.fixture(scope='module')
def step() -> CrossClassSuppression:
    made = CrossClassSuppression()
    fit(made, POOL)
    return made


def left(step: CrossClassSuppression, image: ByTeacher) -> list[int]:
    result: Detections = apply(step, image, scene())[FUSED]
    kept = np.isin(result.scores, image[FUSED].scores)
    return sorted(result.labels[kept].tolist())


def test_what_is_collected_of_parts_is_that_of_all_and_small_for_many_classes() -> None:
    names = [*TEACHERS['c'], *(f'class {number}' for number in range(1200))]
    step = CrossClassSuppression()
    bind(step, scene({**TEACHERS, 'c': names}))
    images = [(image, at.image) for image, at in POOL]
    parts = [step.collect(images[begin : begin + 9]) for begin in range(0, len(images), 9)]
    assert all(array.nbytes < 2**17 for part in parts for array in part.values())
    merged = step.merge([step.merge(parts[:2]), *parts[2:]])
    for name, array in step.collect(images).items():
        np.testing.assert_array_equal(merged[name], array)
    step.learn(merged)
    assert [pair['classes'] for pair in step.learned['together']] == [['dog', 'person']]


def test_classes_that_share_places_are_learned_and_listed(step: CrossClassSuppression) -> None:
    assert step.learned == {'together': [{'classes': ['dog', 'person'], 'count': 12, 'rate': 0.6}]}
    assert 'dog and person share places: one teacher gives both' in step.describe_learned()[0]


@pytest.mark.parametrize(
    'arguments', [{'min_count': 13}, {'min_rate': 0.7}, {'min_score': 0.55}, {'iou_thr': 0.99}]
)
def test_what_is_seldom_together_conflicts(arguments: dict[str, Any]) -> None:
    made = CrossClassSuppression(**arguments)
    fit(made, POOL)
    assert made.learned == {}
    made.iou_thr = 0.7
    assert left(made, BOTH) == [DOG]


def test_two_teachers_that_are_always_at_odds_share_no_places() -> None:
    made = CrossClassSuppression()
    fit(made, [(CONFLICT, scene())] * 40)
    assert made.learned == {}


@pytest.mark.parametrize(
    ('image', 'labels'),
    [
        (CONFLICT, [SOFA]),
        # However many found the other.
        (fused((HERE, 0.5, CAT, [1, 1, 1]), (SAME, 0.6, SOFA, [0, 1, 0])), [SOFA]),
        (fused((HERE, 0.7, CAT, [1, 0, 0]), (SAME, 0.6, SOFA, [0, 1, 0])), [CAT]),
        # What lies on a box that was dropped stays.
        (
            fused(
                (HERE, 0.7, CAT, [1, 0, 0]),
                ([0, 0, 60, 50], 0.6, SOFA, [0, 1, 0]),
                ([0, 0, 75, 50], 0.5, DOG, [0, 1, 0]),
            ),
            [CAT, DOG],
        ),
        (APART, [PERSON, DOG]),
        (BOTH, [PERSON, DOG]),
        (fused((HERE, 0.5, CAT, [1, 0, 0]), (SAME, 0.6, CAT, [0, 1, 0])), [CAT, CAT]),
        (fused(), []),
    ],
)
def test_the_likelier_stays(
    step: CrossClassSuppression, image: ByTeacher, labels: list[int]
) -> None:
    assert left(step, image) == labels


def test_the_other_falls_or_goes() -> None:
    lowered = apply(CrossClassSuppression(), CONFLICT, scene())[FUSED]
    assert lowered.labels.tolist() == [SOFA, CAT]
    np.testing.assert_allclose(lowered.scores, [0.6, 0.1])
    dropped = apply(CrossClassSuppression(decay=0.0), CONFLICT, scene())[FUSED]
    assert dropped.labels.tolist() == [SOFA]


def test_a_coarse_class_and_a_finer_one_do_not_conflict() -> None:
    below = scene(hierarchy={'cat': ['sofa']})
    assert (
        apply(CrossClassSuppression(), CONFLICT, below)[FUSED].scores.max()
        == CONFLICT[FUSED].scores.max()
    )
    assert apply(CrossClassSuppression(), CONFLICT, below)[FUSED].scores.min() == 0.5


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
        ({'decay': 2}, '^step.decay: 2'),
        ({'min_count': 0}, '^step.min_count: 0'),
        ({'min_rate': -1}, '^step.min_rate: -1'),
        ({'min_score': 3}, '^step.min_score: 3'),
        ({'pairs': ['cat']}, r"^step.pairs\[0\]: 'cat' is not 2 values: a string, a string"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        built(CrossClassSuppression, **arguments)
