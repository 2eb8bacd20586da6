"""Detections as rows of an Arrow table, a row an image."""

from __future__ import annotations

from collections.abc import Sequence
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
MASKS = 'masks'
_FIELDS = tuple(_VALUE_TYPES)
SCHEMA = pa.schema(
    [
        pa.field('key', pa.string(), nullable=False),
        pa.field('width', pa.int32(), nullable=False),
        pa.field('height', pa.int32(), nullable=False),
        # Of the picture's file when it was looked at, to notice one that was changed in place.
        pa.field('num_bytes', pa.int64()),
        # The second dimension of votes, which an image without boxes has too; null before a fusion.
        pa.field('num_teachers', pa.int32()),
        *(pa.field(name, pa.large_list(_VALUE_TYPES[name])) for name in _FIELDS),
    ]
)
# Only where there are masks: files of boxes alone stay as they are.
SCHEMA_WITH_MASKS = SCHEMA.append(pa.field(MASKS, pa.large_list(pa.large_binary())))


def to_table(images: Sequence[Image], detections: Sequence[Detections]) -> pa.Table:
    """Put the detections of images into a table, in the images' order.

    It has :data:`SCHEMA`, or :data:`SCHEMA_WITH_MASKS` if any of them carry masks.
    """
    columns: dict[str, list[Any]] = {
        'key': [image.key for image in images],
        'width': [image.width for image in images],
        'height': [image.height for image in images],
        'num_bytes': [image.num_bytes for image in images],
        'num_teachers': [None if d.votes is None else d.votes.shape[1] for d in detections],
    }
    for name in _FIELDS:
        # A row without scores, not even none: the teacher was not asked about the image.
        arrays = [getattr(found, name) if found.asked else None for found in detections]
        columns[name] = [None if array is None else array.reshape(-1) for array in arrays]
    masks = [found.masks for found in detections]
    if all(each is None for each in masks):
        return pa.table(columns, schema=SCHEMA)
    columns[MASKS] = [None if each is None else each.tolist() for each in masks]
    return pa.table(columns, schema=SCHEMA_WITH_MASKS)


class DetectionTable:
    """Detections of many images, read row by row from a memory-mapped Arrow file.

    Only the path travels to another process, so that memory does not grow with the number of
    workers.

    Args:
        path: An Arrow IPC file with the columns of :data:`SCHEMA`, or of
            :data:`SCHEMA_WITH_MASKS`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._columns: dict[str, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {'path': self.path, '_columns': None}

    def _column(self, name: str) -> Any:
        # Only masks may have no column.
        if self._columns is None:
            table = pa.ipc.open_file(pa.memory_map(str(self.path))).read_all()
            self._columns = {name: table.column(name) for name in table.column_names}
        return self._columns.get(name)

    def __len__(self) -> int:
        return len(self._column('key'))

    @property
    def keys(self) -> list[str]:
        """The images' keys, in order."""
        keys: list[str] = self._column('key').to_pylist()
        return keys

    @property
    def num_boxes(self) -> int:
        """How many boxes all images have together."""
        return sum(len(chunk.flatten()) for chunk in self._column('scores').chunks)

    @property
    def num_bytes(self) -> list[int | None]:
        """The sizes of the images' files when they were looked at, None where not known."""
        column = self._column('num_bytes')
        # Tables made before sizes were kept have none.
        return [None] * len(self) if column is None else list(column.to_pylist())

    @property
    def has_masks(self) -> bool:
        """Whether any box has a mask."""
        column = self._column(MASKS)
        if column is None:
            return False
        return any(chunk.flatten().null_count < len(chunk.flatten()) for chunk in column.chunks)

    def size(self, row: int) -> tuple[int, int]:
        """Return the width and height of the image at ``row``, in pixels."""
        return self._column('width')[row].as_py(), self._column('height')[row].as_py()

    def __getitem__(self, row: int) -> Detections:
        """Return the detections of the image at ``row``."""
        values = {name: _row(self._column(name), row) for name in _FIELDS}
        if values['scores'] is None:
            return Detections(asked=False)
        count = len(values['scores'])
        for name, width in (('boxes', 4), ('votes', self._column('num_teachers')[row].as_py())):
            if values[name] is not None:
                values[name] = values[name].reshape(count, width)
        if (masks := self._column(MASKS)) is not None:
            values[MASKS] = _row(masks, row)
        return Detections(**values)


def _row(column: Any, row: int) -> Any:
    scalar = column[row]
    if not scalar.is_valid:
        return None
    array: np.ndarray[Any, Any] = scalar.values.to_numpy(zero_copy_only=False)
    return array
