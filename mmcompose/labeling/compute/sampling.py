"""Samples of a pool that are the same however the pool was split: the lowest hashes of keys."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import numpy as np

from mmcompose.labeling.compute.state import State, concatenated


def key_hash(key: str) -> int:
    """Return a hash of an image's key, of 64 bits."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), 'little')


def thinned(
    states: Sequence[State],
    per_image: Collection[str],
    most_boxes: int,
    most_images: int | None = None,
) -> State:
    """Return the sample of all images of which samples are given, in their order.

    Args:
        states: With ``hashes`` ``(I,)`` and ``counts`` ``(I,)`` or ``(I, T)`` of boxes.
        per_image: Which arrays have a row an image; the others have one a box.
        most_boxes: A sample ends where it has so many.
        most_images: Likewise. Defaults to no limit.
    """
    state = concatenated(states)
    counts = state['counts']
    counts = counts.sum(axis=tuple(range(1, counts.ndim)))
    by_hash = np.argsort(state['hashes'], kind='stable')
    fits = np.cumsum(counts[by_hash]) <= most_boxes
    if most_images is not None:
        fits[most_images:] = False
    if fits.all():
        return state
    kept = np.zeros(len(counts), np.bool_)
    kept[by_hash[fits]] = True
    rows = np.repeat(kept, counts)
    return {name: array[kept if name in per_image else rows] for name, array in state.items()}


def in_order_of_hashes(state: State, per_image: Collection[str]) -> State:
    """Return a sample in an order that has nothing to do with that of the pool.

    Args:
        state: As of :func:`thinned`.
        per_image: As of :func:`thinned`.
    """
    counts = state['counts']
    counts = counts.sum(axis=tuple(range(1, counts.ndim)))
    images = np.argsort(state['hashes'], kind='stable')
    ends = np.cumsum(counts)
    # Of each box where it was: from where its image began, on.
    firsts = np.repeat(ends[images] - counts[images], counts[images])
    new_ends = np.cumsum(counts[images])
    places = np.arange(len(firsts)) - np.repeat(new_ends - counts[images], counts[images])
    rows = firsts + places
    return {name: array[images if name in per_image else rows] for name, array in state.items()}
