"""Which pictures a subset of a dataset has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmcompose.utils import UserError, problem


def subset_rows(indices: Sequence[int] | int, length: int, key: str) -> NDArray[np.int64]:
    """Return the rows that MMEngine means by indices: the first or last so many of a number.

    Args:
        indices: As of :meth:`mmengine.dataset.BaseDataset.get_subset`.
        length: Of the whole dataset.
        key: Where the indices stand, for messages.

    Raises:
        UserError: If a picture is listed that is not there.
    """
    rows = np.arange(length)
    if isinstance(indices, int):
        return rows[:indices] if indices >= 0 else rows[indices:]
    wanted = np.array(indices, np.int64)
    absent = wanted[(wanted < -length) | (wanted >= length)]
    if len(absent):
        expected = f'is the index of no picture: there are {length}'
        raise UserError(problem(key, int(absent[0]), expected))
    return rows[wanted]
