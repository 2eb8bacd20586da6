"""Samples of a pool that are the same however the pool was split: the lowest hashes of keys."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

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

    An image is in it if those with lower hashes leave room. What a part leaves out had no room
    beside what the part keeps: so a sample of samples is that of all their images.

    Args:
        states: With ``hashes`` ``(I,)`` and ``counts`` ``(I,)`` or ``(I, T)`` of boxes.
        per_image: Which arrays have a row an image; the others have one a box.
        most_boxes: A sample ends with the image that makes it more.
        most_images: Likewise. Defaults to no limit.
    """
    state = concatenated(states)
    counts = state['counts']
    counts = counts.sum(axis=tuple(range(1, counts.ndim)))
    by_hash = np.argsort(state['hashes'], kind='stable')
    fits = np.cumsum(counts[by_hash]) - counts[by_hash] <= most_boxes
    if most_images is not None:
        fits[most_images:] = False
    if fits.all():
        return state
    kept = np.zeros(len(counts), np.bool_)
    kept[by_hash[fits]] = True
    rows = np.repeat(kept, counts)
    return {name: array[kept if name in per_image else rows] for name, array in state.items()}


def in_hash_order(state: State, per_image: Collection[str]) -> State:
    """Return a sample sorted by hash: neighbours in a pool, such as frames of a video, are apart.

    Args:
        state: As of :func:`thinned`.
        per_image: As of :func:`thinned`.
    """
    counts = state['counts']
    images = np.argsort(state['hashes'], kind='stable')
    rows = rows_of_images(counts.sum(axis=tuple(range(1, counts.ndim))), images)
    return {name: array[images if name in per_image else rows] for name, array in state.items()}


def rows_of_images(counts: NDArray[np.integer], images: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the rows of the boxes of some images, one image after another.

    Args:
        counts: ``(I,)``, how many boxes each image has.
        images: The images, in the order that is wanted.
    """
    wanted = counts[images].astype(np.int64)
    begins = (np.cumsum(counts) - counts)[images]
    before = np.cumsum(wanted) - wanted
    rows: NDArray[np.int64] = np.arange(wanted.sum()) + np.repeat(begins - before, wanted)
    return rows
