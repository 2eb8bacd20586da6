"""Monotone curves from a raw score to a calibrated one, and how good a calibration is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmcompose.utils import Problem, check_keys, check_types, fault

Floats: TypeAlias = NDArray[np.floating]

# Knots of a piecewise linear curve, plain so that it can be stored.
Curve: TypeAlias = Mapping[str, list[float]]

# Of one teacher: its common curve, and one by class name where there was enough to see.
TeacherCurves: TypeAlias = Mapping[str, Any]

# Where a curve that is no step function is tabulated.
KNOTS = np.linspace(0, 1, 101)
STRAIGHT: Curve = {'x': [0.0, 1.0], 'y': [0.0, 1.0]}


def calibrated(curve: Curve, scores: Floats) -> NDArray[np.float32]:
    """Return ``(N,)`` float32 in [0, 1]: the curve at each score."""
    return np.interp(scores, curve['x'], curve['y']).clip(0, 1).astype(np.float32)


def mistakes_in_curves(key: str, curves: TeacherCurves) -> list[Problem]:
    """Return what is wrong with the curves of a teacher.

    Args:
        key: Where they stand, for messages.
        curves: The curves, as somebody's file holds them.
    """
    kinds = {'common': Curve, 'classes': Mapping[str, Curve]}
    problems = check_keys(key, curves, [*kinds, *curves], kinds) + check_types(key, curves, kinds)
    if problems:
        return problems
    listed = {'common': curves['common']}
    listed.update((f'classes.{name}', curve) for name, curve in curves['classes'].items())
    return [
        fault(f'{key}.{place}', 'is no curve: x that rises, and as many y')
        for place, curve in listed.items()
        if not _is_curve(curve)
    ]


def _is_curve(curve: Curve) -> bool:
    x, y = curve.get('x', []), curve.get('y', [])
    finite = np.isfinite(x).all() and np.isfinite(y).all()
    return bool(0 < len(x) == len(y) and finite and (np.diff(x) >= 0).all())


def isotonic_curve(scores: Floats, targets: Floats) -> Curve:
    """Fit targets as a rising curve of the score, in [0, 1]."""
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds='clip')
    model.fit(np.asarray(scores, np.float64), np.asarray(targets, np.float64))
    return {'x': model.X_thresholds_.tolist(), 'y': model.y_thresholds_.tolist()}


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
