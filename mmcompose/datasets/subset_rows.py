"""Which pictures a subset of a dataset has, and where they are in its pool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from mmcompose.store import ImageTable
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


def rows_in_pool(images: ImageTable, pool: ImageTable) -> NDArray[np.int64]:
    """Return the row of the pool at which each image is.

    Raises:
        UserError: If one is not in it, or another picture of the same key is.
    """
    rows = pc.index_in(images.keys, value_set=pool.keys)
    if rows.null_count:
        absent = images.keys.filter(pc.is_null(rows))[0].as_py()
        raise UserError(problem('PseudoLabeledDataset.pool', absent, 'is not in it'))
    # By key a picture is that of its folder: another folder may have one of the same name.
    for name in ('width', 'height', 'num_bytes'):
        own, other = images.table.column(name), pool.table.column(name).take(rows)
        known = pc.and_(pc.greater(own, 0), pc.greater(other, 0))
        differ = pc.fill_null(pc.and_(known, pc.not_equal(own, other)), False)
        if pc.any(differ).as_py():
            key = images.keys.filter(differ)[0].as_py()
            expected = f'is another picture than that of dataset: its {name} differs'
            raise UserError(problem('PseudoLabeledDataset.pool', key, expected))
    return np.array(rows, np.int64)
