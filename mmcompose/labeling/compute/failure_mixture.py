"""Who fails in which image: a mixture of two components for each teacher."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Boxes of a level that are taken to be confirmed as often as those of all levels.
_FEW_BOXES = 2.0
# A teacher that seems to fail in so few images does not.
_FEW_IMAGES = 10.0
_FIRST_GUESS = 0.05
_ROUNDS, _CLOSE = 200, 1e-5


def failure_mixture(counts: NDArray[np.float32], chance: Floats) -> tuple[Floats, Floats]:
    """Fit how often each teacher fails, and how much likelier each count is where both work.

    By expectation maximisation; see :class:`mmcompose.labeling.compute.image_trust.ImageTrust`.

    Args:
        counts: ``(N, T, T, 2, L, 2)``, by image, whose boxes, by whom, whether nobody else owns
            the class, level of score, and whether confirmed.
        chance: ``(T, T, 2, L, 2)``, the same where they are confirmed by chance alone.

    Returns:
        The share of images in which each fails ``(T,)``, and logarithms of how much likelier a
        box is where both work than by chance ``(T, T, 2, L, 2)``.
    """
    compared = counts.sum(axis=(3, 4, 5)) > 0
    compared = (compared | compared.transpose(0, 2, 1)).any(axis=2)
    by_chance = _rates(chance)
    working = np.ones(counts.shape[:3])
    failing = np.full(counts.shape[1], _FIRST_GUESS)
    for _ in range(_ROUNDS):
        rates = _rates(np.einsum('npqklc,npq->pqklc', counts, working, optimize=True))
        # To agree is never held against anyone.
        rates = np.maximum(rates, by_chance)
        ratios = np.stack([np.log((1 - rates) / (1 - by_chance)), np.log(rates / by_chance)], -1)
        each = (counts * ratios).sum(axis=(3, 4, 5), dtype=np.float64)
        working, fails = failures(each, failing)
        before = failing
        seen = ((fails * compared).sum(axis=0) - _FEW_IMAGES).clip(0)
        failing = seen / compared.sum(axis=0).clip(1)
        if np.abs(failing - before).max() < _CLOSE:
            break
    return failing, ratios


def _rates(counts: Floats) -> Floats:
    """Return ``(T, T, 2, L)`` in (0, 1): the share of boxes that are confirmed."""
    total, confirmed = counts.sum(axis=-1), counts[..., 1]
    overall = (confirmed.sum(axis=-1) + 0.5) / (total.sum(axis=-1) + 1)
    rates: Floats = (confirmed + _FEW_BOXES * overall[..., None]) / (total + _FEW_BOXES)
    return rates


def failures(ratios: Floats, failing: Floats) -> tuple[Floats, Floats]:
    """Weigh who fails in each image: nobody, one teacher, or two.

    Args:
        ratios: ``(N, T, T)``, by how much one's boxes are likelier where it and the other work.
        failing: ``(T,)``, how often each fails.

    Returns:
        ``(N, T, T)``, the chance that both of two work; ``(N, T)``, that one fails.
    """
    count = len(failing)
    with np.errstate(divide='ignore'):
        odds = np.log(failing) - np.log(1 - failing)
    pairs = ratios + ratios.transpose(0, 2, 1)
    rows = pairs.sum(axis=2)
    one = odds - rows
    first, second = np.triu_indices(count, 1)
    two = one[:, first] + one[:, second] + pairs[:, first, second]
    logs = np.concatenate([np.zeros((len(pairs), 1)), one, two], axis=1)
    chances = np.exp(logs - logs.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    both = np.zeros_like(pairs)
    both[:, first, second] = both[:, second, first] = chances[:, 1 + count :]
    fails = chances[:, 1 : 1 + count] + both.sum(axis=2)
    working = 1 - fails[:, :, None] - fails[:, None, :] + both
    return working.clip(0, 1), fails
