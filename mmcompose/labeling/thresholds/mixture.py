"""A threshold where scores become more likely right than wrong."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.scored_boxes import ScoredBoxes
from mmcompose.labeling.thresholds.base import Threshold
from mmcompose.registry import THRESHOLDS
from mmcompose.utils import Fraction


@THRESHOLDS.register_module('mixture')
class MixtureThreshold(Threshold):
    """Take a class's scores for a mixture of wrong and right boxes.

    Consistent-Teacher, Wang et al. 2023.

    Args:
        posterior: How likely a box has to be right. Defaults to 0.5.
    """

    def __init__(self, posterior: Fraction = 0.5) -> None:
        self.posterior = posterior

    def threshold(self, boxes: ScoredBoxes, label: int | None) -> float:
        """See :meth:`Threshold.threshold`."""
        # One score is no mixture of two.
        alike = len(np.unique(boxes.scores)) < 2
        return 0.0 if alike else mixture_threshold(boxes.scores, self.posterior)


def mixture_threshold(scores: NDArray[np.floating], posterior: float = 0.5) -> float:
    """Return where scores become more likely right than wrong, by a mixture of two Gaussians.

    The lower component is taken for wrong boxes, the upper for right ones.

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
