"""Monotone curves from a raw score to a calibrated one, and how good a calibration is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating]

# Knots of a piecewise linear curve, plain so that it can be stored.
Curve: TypeAlias = Mapping[str, list[float]]


METHODS = ('isotonic', 'platt', 'beta')
_KNOTS = np.linspace(0, 1, 101)
_TINY = 1e-6


def calibrated(curve: Curve, scores: Floats) -> NDArray[np.float32]:
    """Return ``(N,)`` float32 in [0, 1]: the curve at each score."""
    return np.interp(scores, curve['x'], curve['y']).clip(0, 1).astype(np.float32)


def fit_curve(method: str, scores: Floats, right: NDArray[np.bool_]) -> Curve:
    """Fit the share of right boxes as a rising curve of the score, by scikit-learn.

    Args:
        method: 'isotonic' (Zadrozny and Elkan 2002), 'platt' (Platt 1999: a logistic function
            of the score's logit) or 'beta' (Kull et al. 2017: of log s and log(1 - s)).
        scores: ``(N,)`` in [0, 1].
        right: ``(N,)`` bool; where all are alike there is nothing but a level to fit.

    Returns:
        The curve.
    """
    if method == 'isotonic':
        return isotonic_curve(scores, right.astype(np.float64))
    if right.all() or not right.any():
        level = (right.sum() + 1) / (len(right) + 2)
        return {'x': [0.0, 1.0], 'y': [0.0, float(level)]}
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e3, max_iter=1000)
    columns = _columns(method, scores)
    # A negative coefficient would turn the order of scores round; beta calibration drops it.
    used = np.ones(columns.shape[1], np.bool_)
    model.fit(columns, right)
    if (model.coef_[0] < 0).any() and method == 'beta':
        used = model.coef_[0] >= 0
        if not used.any():
            used[:] = True
        model.fit(columns[:, used], right)
    values = model.predict_proba(_columns(method, _KNOTS)[:, used])[:, 1]
    return {'x': _KNOTS.tolist(), 'y': np.maximum.accumulate(values).tolist()}


def isotonic_curve(scores: Floats, targets: Floats) -> Curve:
    """Fit targets as a rising curve of the score, in [0, 1]."""
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds='clip')
    model.fit(np.asarray(scores, np.float64), np.asarray(targets, np.float64))
    return {'x': model.X_thresholds_.tolist(), 'y': model.y_thresholds_.tolist()}


def power_curve(scores: Floats, total: float) -> Curve:
    """Return the power of the score that makes the scores sum to a total.

    Where a score is the chance that its box is right, the scores of all boxes sum to the number
    of true ones. A power keeps their order, 0 and 1.

    Args:
        scores: ``(N,)`` in [0, 1].
        total: What they should sum to; out of reach of the powers between 1/4 and 4, the nearest.
    """
    low, high = -2.0, 2.0
    for _ in range(40):
        exponent = (low + high) / 2
        curve = {'x': _KNOTS.tolist(), 'y': (_KNOTS**2.0**exponent).tolist()}
        if calibrated(curve, scores).sum(dtype=np.float64) > total:
            low = exponent
        else:
            high = exponent
    return curve


def anchored(curve: Curve) -> Curve:
    """Lead a curve to 0 at 0 and to 1 at 1, so that scores outside what was seen keep an order."""
    pairs = [(x, y) for x, y in zip(curve['x'], curve['y'], strict=True) if 0 < x < 1]
    x, y = zip((0.0, 0.0), *pairs, (1.0, 1.0), strict=True)
    return {'x': list(x), 'y': list(y)}


def blended(own: Curve, common: Curve, share: float) -> Curve:
    """Return ``share`` of one curve and the rest of another."""
    x = np.unique(np.concatenate([own['x'], common['x']]))
    y = share * np.interp(x, own['x'], own['y']) + (1 - share) * np.interp(
        x, common['x'], common['y']
    )
    return {'x': x.tolist(), 'y': y.tolist()}


def calibration_error(scores: Floats, right: NDArray[np.bool_], bins: int = 15) -> float:
    """Return the expected calibration error (Guo et al. 2017) over bins of equal width.

    Args:
        scores: ``(N,)`` in [0, 1].
        right: ``(N,)`` bool.
        bins: How many. Defaults to 15.

    Returns:
        The mean over boxes of how far their bin's mean score is from its share of right ones;
        NaN without boxes.
    """
    if not len(scores):
        return float('nan')
    bin_of = np.minimum((np.asarray(scores) * bins).astype(np.int64), bins - 1)
    gap = np.bincount(bin_of, weights=np.asarray(scores, np.float64) - right, minlength=bins)
    return float(np.abs(gap).sum() / len(scores))


def _columns(method: str, scores: Floats) -> Floats:
    scores = np.asarray(scores, np.float64).clip(_TINY, 1 - _TINY)
    if method == 'platt':
        return (np.log(scores) - np.log1p(-scores))[:, None]
    return np.stack([np.log(scores), -np.log1p(-scores)], axis=1)
