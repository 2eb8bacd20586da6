"""Detections as rows of an Arrow table, a row an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmcompose.structures import Detections, Image

# A column for each field of Detections; those with a second dimension are stored flat.
_VALUE_TYPES: dict[str, pa.DataType] = {
    'boxes': pa.float32(),
    'scores': pa.float32(),
    'labels': pa.int64(),
    'votes': pa.bool_(),
    'best_score': pa.float32(),
    'cluster_size': pa.int64(),
    'spread': pa.float32(),
    'ignore': pa.bool_(),
    'weights': pa.float32(),
}
_FIELDS = tuple(field.name for field in fields(Detections))
SCHEMA = pa.schema(
    [
        pa.field('key', pa.string(), nullable=False),
        pa.field('width', pa.int32(), nullable=False),
        pa.field('height', pa.int32(), nullable=False),
        # The second dimension of votes, which an image without boxes has too; null before a fusion.
        pa.field('num_teachers', pa.int32()),
        *(pa.field(name, pa.large_list(_VALUE_TYPES[name])) for name in _FIELDS),
    ]
)


def to_table(images: Sequence[Image], detections: Sequence[Detections]) -> pa.Table:
    """Put the detections of images into a table, in the images' order."""
    columns: dict[str, list[Any]] = {
        'key': [image.key for image in images],
        'width': [image.width for image in images],
        'height': [image.height for image in images],
        'num_teachers': [None if d.votes is None else d.votes.shape[1] for d in detections],
    }
    for name in _FIELDS:
        arrays = [getattr(found, name) for found in detections]
        columns[name] = [None if array is None else array.reshape(-1) for array in arrays]
    return pa.table(columns, schema=SCHEMA)


class DetectionTable:
    """Detections of many images, read row by row from a memory-mapped Arrow file.

    Only the path travels to another process, so that memory does not grow with the number of
    workers.

    Args:
        path: An Arrow IPC file with the columns of :data:`SCHEMA`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._columns: dict[str, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {'path': self.path, '_columns': None}

    def _column(self, name: str) -> Any:
        if self._columns is None:
            table = pa.ipc.open_file(pa.memory_map(str(self.path))).read_all()
            self._columns = {name: table.column(name) for name in table.column_names}
        return self._columns[name]

    def __len__(self) -> int:
        return len(self._column('key'))

    @property
    def keys(self) -> list[str]:
        """The images' keys, in order."""
        keys: list[str] = self._column('key').to_pylist()
        return keys

    def __getitem__(self, row: int) -> Detections:
        """Return the detections of the image at ``row``."""
        values = {name: _row(self._column(name), row) for name in _FIELDS}
        count = len(values['scores'])
        for name, width in (('boxes', 4), ('votes', self._column('num_teachers')[row].as_py())):
            if values[name] is not None:
                values[name] = values[name].reshape(count, width)
        return Detections(**values)


def _row(column: Any, row: int) -> Any:
    scalar = column[row]
    if not scalar.is_valid:
        return None
    array: np.ndarray[Any, Any] = scalar.values.to_numpy(zero_copy_only=False)
    return array
