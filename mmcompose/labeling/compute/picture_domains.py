"""The domain of each teacher: which pictures look like those in which it is sure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.discriminant import Discriminant, Parts, discriminant

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

# What a teacher finds in a twentieth of the pictures is sure for it, whatever it scores.
_SURE = 0.95
# Steeper than what classes are learned of: most pictures hold something that a teacher half sees.
_STEEP = 3.0
# Of so many pictures a domain's mean is drawn halfway to that of all. Without it, pools of less
# than 300 pictures lost by what was noise: 0.1 to 0.3 of macro F1 at 40.
_FEW_PICTURES = 20.0


def best_by_picture(
    scores: Floats, votes: Bools, pictures: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Return ``(I, T)``: the best score of a box that each teacher found in each picture.

    Args:
        scores: ``(N,)``.
        votes: ``(N, T)``.
        pictures: ``(N,)``, the picture of each box.
        count: How many pictures there are.
    """
    best = np.zeros((count, votes.shape[1]))
    np.maximum.at(best, pictures, np.where(votes, scores[:, None], 0))
    return best


def learn_domains(pictures: NDArray[np.float32], best: Floats, parts: Parts) -> list[Discriminant]:
    """Learn for each teacher which pictures look like those in which it is sure.

    Args:
        pictures: ``(I, D)`` float32, the features of I whole pictures, part after part.
        best: ``(I, T)``, the best score of each teacher in each.
        parts: The rows of each part.
    """
    sure = np.quantile(best, _SURE, axis=0) if len(best) else np.ones(best.shape[1])
    relative = np.minimum(best / np.maximum(sure, 1e-6), 1)
    domains = [np.stack([own**_STEEP, (1 - own) ** _STEEP], axis=1) for own in relative.T]
    return [discriminant(pictures, each, parts, few=_FEW_PICTURES) for each in domains]


def picture_trust(likelihoods: Floats) -> NDArray[np.float64]:
    """Return ``(I,)`` in [0, 1]: the chance that a picture is of a teacher's domain.

    Args:
        likelihoods: ``(I, 2)`` logarithms, of its domain and of others.
    """
    difference = np.clip(likelihoods[:, 1] - likelihoods[:, 0], -50, 50)
    trust: NDArray[np.float64] = 1 / (1 + np.exp(difference))
    return trust


def box_trust(trust: Floats, votes: Bools, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``(N,)`` in [0, 1]: the trust in the best voter of each box.

    It counts by the classes that its voters do not know: a picture of those is of another domain,
    one in which a generalist finds nothing is merely empty.

    Args:
        trust: ``(N, T)``, by box the trust in each teacher in its picture.
        votes: ``(N, T)``.
        share: ``(N,)``, of the classes that its voters know.
    """
    best = np.where(votes, trust, 0).max(axis=1, initial=0)
    power: NDArray[np.float64] = np.maximum(best, 1e-3) ** (1 - share) ** 2
    return power
