"""Where to cut a list of scores: with labels, or without any."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def mixture_threshold(scores: Floats, posterior: float = 0.5) -> float:
    """Return where scores become more likely right than wrong, by a mixture of two Gaussians.

    The lower component is taken for wrong boxes, the upper for right ones, as in
    Consistent-Teacher (Wang et al. 2023).

    Args:
        scores: ``(N,)``, at least two different ones.
        posterior: How likely the upper component has to be. Defaults to 0.5.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    column = np.sort(np.asarray(scores, np.float64))[:, None]
    mixture = GaussianMixture(
        2,
        weights_init=[0.5, 0.5],
        means_init=[[column[0, 0]], [column[-1, 0]]],
        precisions_init=[[[4 / max(column.var(), 1e-6)]]] * 2,
        reg_covar=1e-5,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)
        mixture.fit(column)
    low, high = np.sort(mixture.means_[:, 0])
    upper = int(mixture.means_[:, 0].argmax())
    # Outside the two means a wide component can win once more: look between them.
    grid = np.linspace(low, high, 201)
    likely = mixture.predict_proba(grid[:, None])[:, upper] >= posterior
    return float(grid[likely.argmax()] if likely.any() else high)


def count_threshold(scores: Floats, count: float) -> float:
    """Return the highest threshold that keeps ``count`` of the scores; 0 if there are fewer.

    Matching the mean number of boxes an image to that of labelled data is from Data
    Distillation (Radosavovic et al. 2018).
    """
    kept = round(count)
    if kept > len(scores):
        return 0.0
    # Above the highest score where none is to be kept.
    return float(-np.sort(-scores)[kept - 1]) if kept > 0 else 1.0


def expected_fbeta_threshold(scores: Floats, beta: float = 1.0) -> float:
    """Return the threshold with the best F-beta that the scores themselves let expect.

    A box of score 0.7 is taken to be right 7 times in 10, and the sum of all scores for the
    number of true boxes. With such scores the best threshold is half of the F1 that it reaches
    (Lipton, Elkan, Naryanaswamy 2014), so that a class of doubtful boxes gets a lower one.

    Args:
        scores: ``(N,)`` in [0, 1].
        beta: How many times recall counts as much as precision. Defaults to 1.

    Returns:
        The threshold; 1.0 where all scores are 0.
    """
    ordered = -np.sort(-np.asarray(scores, np.float64))
    hits = np.cumsum(ordered)
    if not len(ordered) or hits[-1] <= 0:
        return 1.0
    f = (1 + beta**2) * hits / (beta**2 * hits[-1] + np.arange(1, len(hits) + 1))
    return float(ordered[np.where(_ends_a_tie(ordered), f, -1).argmax()])


def precision_threshold(scores: Floats, right: NDArray[np.bool_], precision: float) -> float:
    """Return the lowest threshold above which a share of ``precision`` is right.

    Args:
        scores: ``(N,)``.
        right: ``(N,)`` bool.
        precision: In (0, 1].

    Returns:
        The threshold; 1.0 where none reaches the precision.
    """
    ordered, hits = _from_the_top(scores, right)
    reached = hits / np.arange(1, len(hits) + 1) >= precision
    usable = np.flatnonzero(reached & _ends_a_tie(ordered))
    return float(ordered[usable[-1]]) if len(usable) else 1.0


def fbeta_threshold(scores: Floats, right: NDArray[np.bool_], positives: int, beta: float) -> float:
    """Return the threshold with the best F-beta.

    Args:
        scores: ``(N,)``.
        right: ``(N,)`` bool.
        positives: How many true boxes there are.
        beta: How many times recall counts as much as precision.

    Returns:
        The threshold; 1.0 where nothing is right.
    """
    if not right.any():
        return 1.0
    ordered, hits = _from_the_top(scores, right)
    kept = np.arange(1, len(hits) + 1)
    f = (1 + beta**2) * hits / (beta**2 * positives + kept)
    return float(ordered[np.where(_ends_a_tie(ordered), f, -1).argmax()])


def _from_the_top(scores: Floats, right: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.int64]]:
    order = np.argsort(-scores, kind='stable')
    return scores[order], np.cumsum(right[order], dtype=np.int64)


def _ends_a_tie(ordered: Floats) -> NDArray[np.bool_]:
    """A threshold keeps all boxes of its score, or none: not the first few of a tie."""
    return np.append(ordered[1:] != ordered[:-1], True)
