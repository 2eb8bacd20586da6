"""What a step collects of a part of the images: named arrays that can be merged and stored."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

State: TypeAlias = Mapping[str, NDArray[Any]]


def concatenated(states: Sequence[State]) -> State:
    """Return states that hold rows, one after another."""
    if len(states) == 1:
        return states[0]
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}


def summed(states: Sequence[State]) -> State:
    """Return states that hold counts, added up. Floating-point sums depend on their order."""
    return {name: np.sum([state[name] for state in states], axis=0) for name in states[0]}


def table_entries(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ``(N, 3)``: row, column and count where a table of counts is not 0."""
    rows, columns = np.nonzero(table)
    return np.stack([rows, columns, table[rows, columns]], axis=1)


def table_of_entries(entries: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return the ``(size, size)`` table of such entries; of one place they are added up."""
    table = np.zeros((size, size), np.int64)
    np.add.at(table, (entries[:, 0], entries[:, 1]), entries[:, 2])
    return table


def state_to_bytes(state: State) -> bytes:
    """Return a state as the bytes of a NumPy archive."""
    file = io.BytesIO()
    arrays: dict[str, Any] = dict(state)
    np.savez(file, **arrays)
    return file.getvalue()


def state_from_bytes(content: bytes) -> State:
    """Return the state that :func:`state_to_bytes` was given.

    Raises:
        ValueError: If the bytes are no such archive.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
