"""The domain of each teacher, and the kinds of pictures that a pool holds."""

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
# How far two groups of pictures stand apart, as a silhouette (Rousseeuw 1987), to be two kinds:
# 0.26 to 0.50 for photographs and slides of cells, 0.08 for photographs alone.
_APART = 0.17
_MOST_COMPARED = 1000


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


def kinds_of_pictures(pictures: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return ``(I,)``, 0 or 1: the kind of each picture; all 0 where no two stand apart.

    Args:
        pictures: ``(I, D)`` float32, the features of I whole pictures.
    """
    # Imported where it is needed, as everywhere in this room: it takes a second.
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    one = np.zeros(len(pictures), np.int64)
    if len(np.unique(pictures, axis=0)) < 3:
        return one
    kinds: NDArray[np.int64] = KMeans(2, n_init=10, random_state=0).fit_predict(pictures)
    count = min(len(pictures), _MOST_COMPARED)
    apart = silhouette_score(pictures, kinds, sample_size=count, random_state=0)
    return kinds.astype(np.int64) if apart >= _APART else one


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
