"""Whether a teacher that nobody confirms has anything to predict on a pool."""

from __future__ import annotations

import numpy as np
import pytest

from mmcompose.labeling.compute.teacher_relevance import teacher_relevances

OF_TWO = np.eye(2, dtype=np.bool_)


def relevances(pictures: int, domain: float) -> list[float]:
    """Judge a teacher that is sure in a part of the pool, and one that is sure of nothing.

    Both have a box in every picture, and score few of them above a half. Pictures of the first
    one's domain look like it; what the second finds looks like anything.
    """
    rng = np.random.default_rng(0)
    is_domain = np.arange(pictures) < domain * pictures
    scores = rng.uniform(0.1, 0.4, (pictures, 2))
    scores[is_domain, 0] += 0.09
    votes = np.tile(OF_TWO, (pictures, 1))
    trust = rng.uniform(0, 0.5, (pictures, 2))
    trust[is_domain, 0] += 0.5
    margins = rng.normal(size=2 * pictures)
    best = scores + np.where(is_domain[:, None], [[0.5, 0]], 0)
    alike = np.zeros((pictures, 1), np.float32)
    found = teacher_relevances(scores.ravel(), votes, margins, best, trust, alike, OF_TWO)
    return found.tolist()


@pytest.mark.parametrize('domain', [0.05, 0.1, 0.5])
def test_a_domain_may_be_a_small_part_of_the_pool(domain: float) -> None:
    assert relevances(400, domain) == [1, 0]


def test_of_few_pictures_nothing_is_said() -> None:
    assert relevances(140, 0.1) == [1, 1]


def test_a_teacher_alone_is_not_judged() -> None:
    rng = np.random.default_rng(0)
    scores, trust = rng.uniform(0.1, 0.4, 400), rng.uniform(size=(400, 1))
    alone = np.ones((400, 1), np.bool_)
    margins = rng.normal(size=400)
    found = teacher_relevances(
        scores,
        alone,
        margins,
        scores[:, None],
        trust,
        np.zeros((400, 1), np.float32),
        np.ones((1, 1), bool),
    )
    assert found.tolist() == [1]


@pytest.mark.parametrize(
    ('share', 'distance', 'expected'),
    [
        pytest.param(0.5, 20.0, [1, 0], id='of two kinds'),
        pytest.param(0.5, 0.0, [1, 1], id='of one kind, as far as anybody sees'),
        pytest.param(0.25, 20.0, [1, 1], id='of a kind with too few pictures'),
    ],
)
def test_a_kind_of_picture_is_no_domain_where_another_teacher_is_at_home(
    share: float, distance: float, expected: list[float]
) -> None:
    """Photographs and slides: one teacher knows a fifth of the photographs, one predicts on all."""
    rng = np.random.default_rng(0)
    count = 400
    is_photograph = np.arange(count) < share * count
    is_domain = np.arange(count) < 0.2 * share * count
    scores = rng.uniform(0.1, 0.3, (count, 2))
    trust = rng.uniform(0, 0.4, (count, 2))
    for column, where in enumerate((is_domain, is_photograph)):
        scores[where, column] += 0.2
        trust[where, column] += 0.5
    features = rng.normal(size=(count, 4)).astype(np.float32)
    features[is_photograph] += distance
    found = teacher_relevances(
        scores.ravel(),
        np.tile(OF_TWO, (count, 1)),
        rng.normal(size=2 * count),
        scores,
        trust,
        features,
        OF_TWO,
    )
    assert found.tolist() == expected
