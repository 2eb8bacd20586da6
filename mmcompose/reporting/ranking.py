"""Which pictures most need a person: those whose labels are least to be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mmcompose.structures import Detections


def doubts(
    labels: Sequence[Detections],
    owners: NDArray[np.bool_],
    unasked: Callable[[int], tuple[int, ...]] = lambda row: (),
) -> list[float]:
    """Return for each picture how far its labels are in doubt, in [0, 1].

    That is a mean over its boxes, those to be ignored included: of how far the owners of a box's
    class do not confirm it, or of its spread where that is more. Boxes count by how uncertain
    their scores are, and more where their class is rare in the pool.

    Args:
        labels: Of each picture.
        owners: ``(C, T)`` bool, which teacher has which class.
        unasked: Returns the numbers of the teachers that did not predict on a picture, by its
            row. Defaults to none on any.
    """
    counts = np.zeros(len(owners), np.int64)
    for row in range(len(labels)):
        counts += np.bincount(labels[row].labels, minlength=len(owners))
    rarity = 1 / np.sqrt(np.maximum(counts, 1))
    return [_doubt(labels[row], owners, unasked(row), rarity) for row in range(len(labels))]


def support(
    found: Detections, owners: NDArray[np.bool_], unasked: tuple[int, ...] = ()
) -> NDArray[np.float64]:
    """Return for each box the share of its owners that found it; 1 before a fusion.

    Labels that were made anew while the student trained have its vote behind those of the
    teachers: it confirms nothing.

    Args:
        found: The labels of a picture.
        owners: ``(C, T)`` bool, which teacher has which class.
        unasked: The numbers of the teachers that did not predict on the picture: no owners
            there, but of boxes that have their vote. Defaults to none.
    """
    if found.votes is None:
        return np.ones(len(found))
    votes = found.votes[:, : owners.shape[1]]
    predicted = np.ones(owners.shape[1], np.bool_)
    predicted[list(unasked)] = False
    known = owners[found.labels] & (predicted | votes)
    return np.asarray((votes & known).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _doubt(
    found: Detections,
    owners: NDArray[np.bool_],
    unasked: tuple[int, ...],
    rarity: NDArray[np.float64],
) -> float:
    if not len(found):
        return 0.0
    doubt = 1 - support(found, owners, unasked)
    if found.spread is not None:
        doubt = np.maximum(doubt, found.spread)
    uncertain = found.scores * (1 - found.scores) + 1e-6
    return float(np.average(doubt, weights=uncertain * rarity[found.labels]))
