"""The threshold that the scores themselves let expect the best F-beta of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcompose.labeling import FUSED, AdaptiveScoreFilter
from mmcompose.labeling.thresholds.expected_fbeta import expected_fbeta_threshold
from mmcompose.labeling.thresholds.fbeta import fbeta_threshold
from tests.labeling.filters.test_adaptive_score_filter import pool
from tests.labeling.toys import THOROUGH, fit

SCORES = st.lists(st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]), min_size=1)


def expected(scores: np.ndarray, threshold: float, beta: float) -> float:
    """Return the F-beta to expect of a threshold, where a score is the chance to be right."""
    kept = scores >= threshold
    return (1 + beta**2) * scores[kept].sum() / (beta**2 * scores.sum() + kept.sum())


@THOROUGH
@given(given=SCORES, beta=st.sampled_from([0.5, 1.0, 2.0]))
def test_no_other_threshold_lets_expect_more(given: list[float], beta: float) -> None:
    scores = np.array(given)
    threshold = expected_fbeta_threshold(scores, beta)
    if not scores.any():
        assert threshold == 1.0
        return
    assert threshold in scores
    best = max(expected(scores, other, beta) for other in scores)
    assert expected(scores, threshold, beta) == pytest.approx(best)


def test_where_scores_are_the_chance_to_be_right_it_is_the_best_threshold() -> None:
    rng = np.random.default_rng(0)
    scores = rng.beta(0.3, 1.0, 100_000)
    right = rng.random(len(scores)) < scores
    threshold = expected_fbeta_threshold(scores)
    best = fbeta_threshold(scores, right, int(right.sum()), 1.0)
    assert threshold == pytest.approx(best, abs=0.03)
    # Lipton et al. 2014: half of the F1 that it reaches.
    assert threshold == pytest.approx(expected(scores, threshold, 1.0) / 2, abs=0.01)


def test_a_doubtful_class_gets_a_lower_threshold_than_a_sure_one() -> None:
    step = AdaptiveScoreFilter('expected_fbeta')
    fit(step, pool())
    thresholds = step.learned['thresholds'][FUSED]
    assert thresholds['cat'] < 0.35 < thresholds['person']
