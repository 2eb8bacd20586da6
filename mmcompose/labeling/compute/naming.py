"""How likely a box has its own name, by what boxes of other pictures that look alike are called."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.appearance import FOLDS
from mmcompose.labeling.compute.discriminant import Discriminant, discriminant

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

# These were chosen by macro F1 on strangers, specialists, neighbors and generalists together
# (benchmarks/worlds.py): values that all of them bear, none that one of them favors.
# Boxes teach a name by the square of their score, background by a share of the square of the
# rest: without that share, specialists lose 0.01; with the plain score, names are too noisy.
_POWER, BACKGROUND = 2.0, 0.3
# A teacher calls an object of another class that it knows by its own name so much less often than
# one of a class that it does not know: 0.03 to 0.3 are within 0.01 everywhere.
_CONFUSION = 0.1
# How far names do not matter for boxes whose voters know every class: they distinguish them
# themselves. From 0.5 on generalists lose nothing by it; strangers know few classes and are not
# touched.
_KNOWING = 0.75
# A name that was learned of so many boxes is relied on by half.
_FEW_BOXES = 20.0
# In a picture of another kind than its sure ones, a teacher's scores fall by this power.
_TRUST_POWER = 0.5
# What a teacher finds in a twentieth of the pictures is sure for it, whatever it scores.
_SURE = 0.95


def soft_names(chances: Floats, labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return ``(N, C + 1)``: how far each box teaches the look of its name, and of background.

    Args:
        chances: ``(N,)`` in [0, 1], how likely each box is right.
        labels: ``(N,)``, its name.
        classes: How many there are.
    """
    names = np.zeros((len(labels), classes + 1))
    names[np.arange(len(labels)), labels] = chances**_POWER
    names[:, classes] = BACKGROUND * (1 - chances) ** _POWER
    return names


def known_share(votes: Bools, known: Bools) -> NDArray[np.float64]:
    """Return ``(N,)``: the share of all classes that some voter of a box knows.

    Args:
        votes: ``(N, T)``, who found each box.
        known: ``(T, C)``, which classes each teacher was trained to distinguish.
    """
    share: NDArray[np.float64] = ((votes @ known.astype(np.int64)) > 0).mean(axis=1)
    return share


def own_name(
    likelihoods: Floats, labels: NDArray[np.int64], votes: Bools, known: Bools
) -> NDArray[np.float64]:
    """Return ``(N,)`` in [0, 1]: the chance of each box's own name among all, and background.

    Its voters' word counts against classes that they know, not against those that they do not:
    who never saw a sheep may well call one a dog.

    Args:
        likelihoods: ``(N, C + 1)`` logarithms, background last.
        labels: ``(N,)``.
        votes: ``(N, T)``.
        known: ``(T, C)``.
    """
    rows = np.arange(len(labels))
    odds = np.array(likelihoods, np.float64)
    odds[:, :-1] += np.log(_CONFUSION) * (votes @ known.astype(np.float64))
    odds[rows, labels] = likelihoods[rows, labels]
    odds[:, -1] += np.log(BACKGROUND)
    odds -= odds.max(axis=1, keepdims=True, initial=-np.inf)
    chances = np.exp(odds)
    own: NDArray[np.float64] = chances[rows, labels] / chances.sum(axis=1)
    return own


def name_factor(
    likelihoods: Floats,
    labels: NDArray[np.int64],
    votes: Bools,
    known: Bools,
    sizes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return ``(N,)`` in [0, 1]: by what names multiply each box's chance.

    Args:
        likelihoods: As :func:`own_name`, and so are the next three.
        labels: Likewise.
        votes: Likewise.
        known: Likewise.
        sizes: ``(C + 1,)``, how many boxes each name was learned of.
    """
    strength = 1 - _KNOWING * known_share(votes, known)
    strength *= (sizes / (sizes + _FEW_BOXES))[labels]
    factor: NDArray[np.float64] = own_name(likelihoods, labels, votes, known) ** strength
    return factor


def learn_names(
    features: Floats,
    chances: Floats,
    labels: NDArray[np.int64],
    votes: Bools,
    known: Bools,
    folds: NDArray[np.int64],
) -> Discriminant:
    """Learn what each name looks like, twice: the second time of boxes whose names were checked.

    Args:
        features: ``(N, D)``.
        chances: ``(N,)``, how likely each box is right by all that is known without its look.
        labels: ``(N,)``.
        votes: ``(N, T)``.
        known: ``(T, C)``.
        folds: ``(N,)``.
    """
    classes = known.shape[1]
    first = discriminant(features, soft_names(chances, labels, classes), folds)
    factor = name_factor(first.of(folds, features), labels, votes, known, first.sizes)
    # The square root: what was checked is not known for sure either.
    checked = chances * np.sqrt(factor)
    return discriminant(features, soft_names(checked, labels, classes), folds)


def learn_worlds(pictures: Floats, best: Floats, folds: NDArray[np.int64]) -> list[Discriminant]:
    """Learn for each teacher which pictures look like those in which it is sure.

    Args:
        pictures: ``(I, D)``, the features of I whole pictures.
        best: ``(I, T)``, the best score of each teacher in each.
        folds: ``(I,)``.
    """
    sure = np.quantile(best, _SURE, axis=0) if len(best) else np.ones(best.shape[1])
    relative = np.minimum(best / np.maximum(sure, 1e-6), 1)
    # Steeper than what names are learned of: most pictures hold something that a teacher half sees.
    names = [np.stack([own**3, (1 - own) ** 3], axis=1) for own in relative.T]
    return [discriminant(pictures, each, folds) for each in names]


def world_trust(likelihoods: Floats) -> NDArray[np.float64]:
    """Return ``(I,)`` in [0, 1]: the chance that a picture is of a teacher's world.

    Args:
        likelihoods: ``(I, 2)`` logarithms, of its world and of others.
    """
    difference = np.clip(likelihoods[:, 1] - likelihoods[:, 0], -50, 50)
    trust: NDArray[np.float64] = 1 / (1 + np.exp(difference))
    return trust


def box_trust(trust: Floats, votes: Bools, known: Bools) -> NDArray[np.float64]:
    """Return ``(N,)`` in [0, 1]: the trust in the best voter of each box.

    It counts by the classes that its voters do not know: a picture of those is of another world,
    one in which a generalist finds nothing is merely empty.

    Args:
        trust: ``(N, T)``, by box the trust in each teacher in its picture.
        votes: ``(N, T)``.
        known: ``(T, C)``.
    """
    best = np.where(votes, trust, 0).max(axis=1, initial=0)
    power: NDArray[np.float64] = np.maximum(best, 1e-3) ** (1 - known_share(votes, known)) ** 2
    return power


def checked_scores(scores: Floats, trust: Floats, factor: Floats) -> NDArray[np.float32]:
    """Return ``(N,)`` float32 in [0, 1]: scores by the trust in the picture, and by names."""
    checked: NDArray[np.float32] = (scores * trust**_TRUST_POWER * factor).astype(np.float32)
    return checked


def splits(folds: NDArray[np.int64]) -> bool:
    """Return whether every part of the pool leaves others to learn from."""
    return len(np.unique(folds)) == FOLDS
