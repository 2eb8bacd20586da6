"""Logistic functions of what scores are made into."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.curves import KNOTS, Curve, Floats

_TINY = 1e-6


def logistic_curve(
    scores: Floats,
    right: NDArray[np.bool_],
    columns_of: Callable[[Floats], Floats],
    drop_falling: bool = False,
) -> Curve:
    """Fit the chance to be right by scikit-learn's logistic regression.

    Args:
        scores: ``(N,)`` in [0, 1].
        right: ``(N,)`` bool; where all are alike there is nothing but a level to fit.
        columns_of: Makes ``(N, K)`` rising features of scores inside (0, 1).
        drop_falling: Whether features whose coefficient is negative are left out. Defaults to
            False.
    """
    if right.all() or not right.any():
        level = (right.sum() + 1) / (len(right) + 2)
        return {'x': [0.0, 1.0], 'y': [0.0, float(level)]}
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e3, max_iter=1000)
    columns = columns_of(_inside(scores))
    used = np.ones(columns.shape[1], np.bool_)
    model.fit(columns, right)
    # A negative coefficient would turn the order of scores round.
    if (model.coef_[0] < 0).any() and drop_falling:
        used = model.coef_[0] >= 0
        if not used.any():
            used[:] = True
        model.fit(columns[:, used], right)
    values = model.predict_proba(columns_of(_inside(KNOTS))[:, used])[:, 1]
    return {'x': KNOTS.tolist(), 'y': np.maximum.accumulate(values).tolist()}


def _inside(scores: Floats) -> Floats:
    return np.asarray(scores, np.float64).clip(_TINY, 1 - _TINY)
