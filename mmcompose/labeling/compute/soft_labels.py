"""Soft labels from scored boxes, and the chance of a box's own class by its appearance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

# These were chosen by macro F1 on strangers, specialists, neighbors and generalists together
# (benchmarks/worlds.py): values that all of them bear, none that one of them favors.
# Boxes teach a class by a power of their score, background by a share of the square of the rest:
# without that share, specialists lose 0.01.
_BACKGROUND_POWER, _BACKGROUND = 2.0, 0.3
# A teacher confuses classes that it was trained on so much less often than one of them with a
# class that it was not trained on: 0.03 to 0.3 are within 0.01 everywhere.
_CONFUSION = 0.1
# How far appearance does not matter for boxes whose voters know every class: they distinguish them
# themselves. Below 0.5 generalists lose by it; strangers know few classes and are not touched.
_KNOWING = 0.75
# A class that was learned of so many boxes is relied on by half.
_HALF_KNOWN = 5.0
# One that was learned of fewer takes no box from another: everything resembles it a little.
_FEW_BOXES = 10.0
_BLOCK = 4096


def soft_labels(
    chances: Floats, labels: NDArray[np.int64], classes: int, power: float
) -> NDArray[np.float32]:
    """Return ``(N, C + 1)``: how far each box is a sample of its class, and of background.

    Args:
        chances: ``(N,)`` in [0, 1], how likely each box is right.
        labels: ``(N,)``, its class.
        classes: How many there are.
        power: The higher, the less do boxes teach that are not sure.
    """
    soft = np.zeros((len(labels), classes + 1), np.float32)
    soft[np.arange(len(labels)), labels] = chances**power
    soft[:, classes] = _BACKGROUND * (1 - chances) ** _BACKGROUND_POWER
    return soft


def known_share(votes: Bools, known: Bools, alive: Bools) -> NDArray[np.float64]:
    """Return ``(N,)``: the share of the classes that some voter of a box knows.

    Args:
        votes: ``(N, T)``, who found each box.
        known: ``(T, C)``, which classes each teacher was trained to distinguish.
        alive: ``(C,)``, which classes count.
    """
    if not alive.any():
        return np.ones(len(votes))
    share: NDArray[np.float64] = (votes @ known[:, alive]).mean(axis=1)
    return share


def confusions(votes: Bools, known: Bools) -> NDArray[np.float64]:
    """Return ``(N, C)``: logarithms of how much less likely each class is than by its look.

    A box's voters distinguish the classes that they know, not those that they do not: who never saw
    a sheep may well call one a dog.

    Args:
        votes: ``(N, T)``.
        known: ``(T, C)``.
    """
    penalties: NDArray[np.float64] = np.log(_CONFUSION) * (votes @ known.astype(np.float64))
    return penalties


def own_class_chance(
    likelihoods: Floats,
    labels: NDArray[np.int64],
    votes: Bools,
    known: Bools,
    sizes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return ``(N,)`` in [0, 1]: the chance of each box's own class among all, and background.

    Args:
        likelihoods: ``(N, C + 1)`` logarithms, background last.
        labels: ``(N,)``.
        votes: ``(N, T)``, who found each box.
        known: ``(T, C)``, which classes each teacher was trained to distinguish.
        sizes: ``(C + 1,)``, of how many boxes each class was learned.
    """
    own = np.empty(len(labels))
    # With a thousand classes one array of all boxes would take half a gigabyte.
    for begin in range(0, len(labels), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        penalties = confusions(votes[part], known)
        own[part] = _own_chance(likelihoods[part], labels[part], penalties, sizes)
    return own


def _own_chance(
    likelihoods: Floats,
    labels: NDArray[np.int64],
    penalties: NDArray[np.float64],
    sizes: NDArray[np.float64],
) -> NDArray[np.float64]:
    rows = np.arange(len(labels))
    odds = np.array(likelihoods, np.float64)
    odds[:, :-1] += penalties
    odds[:, :-1][:, sizes[:-1] < _FEW_BOXES] = -np.inf
    odds[rows, labels] = likelihoods[rows, labels]
    odds[:, -1] += np.log(_BACKGROUND)
    odds -= odds.max(axis=1, keepdims=True, initial=-np.inf)
    chances = np.exp(odds)
    own: NDArray[np.float64] = chances[rows, labels] / chances.sum(axis=1)
    return own


def class_factor(
    own: NDArray[np.float64],
    labels: NDArray[np.int64],
    share: NDArray[np.float64],
    sizes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return ``(N,)`` in [0, 1]: by what appearance multiplies each box's chance.

    Args:
        own: ``(N,)``, as :func:`own_class_chance` returns it.
        labels: ``(N,)``.
        share: ``(N,)``, as :func:`known_share` returns it.
        sizes: ``(C + 1,)``.
    """
    strength = (1 - _KNOWING * share) * (sizes / (sizes + _HALF_KNOWN))[labels]
    factor: NDArray[np.float64] = own**strength
    return factor
