"""One mask of several: a weighted vote of each pixel, over runs and not over pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.structures import Masks, no_masks
from mmcompose.structures.masks import from_run_ends, run_ends

# Rounding must not decide a tie.
_HALF = 0.5 - 1e-9


def vote_masks(
    masks: Masks,
    weights: NDArray[np.float64],
    members: NDArray[np.int64],
    count: int,
    width: int,
    height: int,
) -> Masks:
    """Fuse the masks of each cluster of boxes.

    A pixel is inside where at least half of the cluster's weight has it. Boxes without a mask
    do not vote; a cluster of such boxes has no mask, nor has one whose masks share too little.

    Args:
        masks: ``(N,)`` of the boxes.
        weights: ``(N,)``, how much each box counts.
        members: ``(N,)``, the cluster of each box, -1 for none.
        count: How many clusters there are.
        width: Of the image, in pixels.
        height: Likewise.

    Returns:
        ``(count,)`` masks.
    """
    fused = no_masks(count)
    voters = np.flatnonzero((members >= 0) & (masks != None))  # noqa: E711
    # By weight within a cluster: who spoke first must not move the last bit of a sum.
    voters = voters[np.lexsort((weights[voters], members[voters]))]
    clusters, starts = np.unique(members[voters], return_index=True)
    ends = np.append(starts, len(voters))[1:]
    for cluster, start, end in zip(clusters, starts, ends, strict=True):
        own = voters[start:end]
        fused[cluster] = _voted(masks[own], weights[own], width, height)
    return fused


def _voted(masks: Masks, weights: NDArray[np.float64], width: int, height: int) -> bytes | None:
    if all(mask == masks[0] for mask in masks):
        return bytes(masks[0])
    ends = [run_ends(mask) for mask in masks]
    assert all(own[-1] == width * height for own in ends), 'a mask is not of the image'
    borders = np.unique(np.concatenate([[0], *ends]))
    support = np.zeros(len(borders) - 1)
    for own, weight in zip(ends, weights, strict=True):
        # Runs are outside and inside by turns.
        support += weight * (np.searchsorted(own, borders[:-1], side='right') % 2)
    inside = support >= _HALF * weights.sum()
    changes = np.flatnonzero(np.diff(inside, prepend=False))
    return from_run_ends(np.append(borders[changes], width * height), width, height)
