"""Detections as columns of an Arrow table, a row an image, and back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmcompose.store.image_table import ADDRESS, DIGEST, ImageTable, stored_key
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
MASKS, FEATURES, UNASKED = 'masks', 'features', 'unasked'
_FIELDS = tuple(_VALUE_TYPES)
# What every stored row has, whatever is stored of the picture.
PICTURE_FIELDS = [
    pa.field('key', pa.string(), nullable=False),
    pa.field('width', pa.int32(), nullable=False),
    pa.field('height', pa.int32(), nullable=False),
    # Of the picture's file when it was looked at: with key and sizes it addresses the picture.
    pa.field('num_bytes', pa.int64()),
    # Why there is nothing of the picture; null where it could be read.
    pa.field('unreadable', pa.string()),
]
SCHEMA = pa.schema(
    [
        *PICTURE_FIELDS,
        # The second dimension of votes, which an image without boxes has too; null before a fusion.
        pa.field('num_teachers', pa.int32()),
        *(pa.field(name, pa.large_list(_VALUE_TYPES[name])) for name in _FIELDS),
    ]
)
# Only where there are masks: files of boxes alone stay as they are.
SCHEMA_WITH_MASKS = SCHEMA.append(pa.field(MASKS, pa.large_list(pa.large_binary())))
# The same of what places look like: float16 as bytes, since as a list of numbers Parquet takes
# fifteen times as long to decode.
SCHEMA_WITH_FEATURES = SCHEMA.append(pa.field(FEATURES, pa.large_binary()))
# The numbers of the teachers that did not predict on a picture. Only where there are such.
UNASKED_FIELD = pa.field(UNASKED, pa.large_list(pa.int32()))


def picture_columns(
    images: Sequence[Image], unreadable: Sequence[str | None] | None = None
) -> dict[str, Any]:
    """Return the columns of :data:`PICTURE_FIELDS`, and digests if there are any, of some images.

    Args:
        images: The images.
        unreadable: Why each cannot be read, None where it can. Defaults to None for all.
    """
    if isinstance(images, ImageTable):
        names = [*ADDRESS, *([DIGEST.name] if images.has_digests else [])]
        columns = {name: images.table.column(name) for name in names}
        columns['key'] = columns['key'].cast(pa.string())
        return {**columns, 'unreadable': list(unreadable or [None] * len(images))}
    digests = [image.digest for image in images]
    return {
        'key': [stored_key(image.key) for image in images],
        'width': [image.width for image in images],
        'height': [image.height for image in images],
        'num_bytes': [image.num_bytes for image in images],
        'unreadable': list(unreadable or [None] * len(images)),
        **({DIGEST.name: digests} if any(digests) else {}),
    }


def to_table(
    images: Sequence[Image],
    detections: Sequence[Detections],
    unreadable: Sequence[str | None] | None = None,
    unasked: Sequence[tuple[int, ...]] = (),
) -> pa.Table:
    """Put the detections of images into a table, in the images' order.

    It has :data:`SCHEMA`, or :data:`SCHEMA_WITH_MASKS` if any of them carry masks, or
    :data:`SCHEMA_WITH_FEATURES` if any have features; then :data:`UNASKED_FIELD`, if some teacher
    was not asked, and digests, if the images have any.

    Args:
        images: The images.
        detections: Of each; without boxes where an image cannot be read.
        unreadable: As in :func:`picture_columns`.
        unasked: By image the numbers of the teachers that did not predict on it. Defaults to none.
    """
    columns = picture_columns(images, unreadable)
    columns['num_teachers'] = [None if d.votes is None else d.votes.shape[1] for d in detections]
    for name in _FIELDS:
        # A row without scores, not even none: the teacher did not predict on the image.
        arrays = [getattr(found, name) if found.asked else None for found in detections]
        columns[name] = [None if array is None else array.reshape(-1) for array in arrays]
    schema = SCHEMA
    features = [found.features for found in detections]
    masks = [found.masks for found in detections]
    if any(each is not None for each in features):
        columns[FEATURES] = [None if each is None else each.tobytes() for each in features]
        schema = SCHEMA_WITH_FEATURES
    elif any(each is not None for each in masks):
        columns[MASKS] = [None if each is None else each.tolist() for each in masks]
        schema = SCHEMA_WITH_MASKS
    if any(unasked):
        columns[UNASKED] = list(unasked)
        schema = schema.append(UNASKED_FIELD)
    if DIGEST.name in columns:
        schema = schema.append(DIGEST)
    return pa.table(columns, schema=schema)


def is_storable(found: Detections) -> bool:
    """Return whether detections come back from a table to the bit: it has the dtypes they have."""
    arrays = {name: getattr(found, name) for name in _FIELDS}
    return all(
        each is None or pa.from_numpy_dtype(each.dtype) == _VALUE_TYPES[name]
        for name, each in arrays.items()
    )


# Boxes, labels, scores, ignore flags (0 or 1), and weights where boxes have any.
Taught: TypeAlias = tuple[
    Sequence[list[float]], Sequence[int], Sequence[float], Sequence[int], Sequence[float] | None
]


class Rows:
    """Rows of stored detections as flat arrays: a row is read by its offsets, without a copy.

    Args:
        batch: With the columns of :data:`SCHEMA`, perhaps more as :func:`to_table` makes them. Of
            a mapped file the arrays are views of the map.
    """

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        columns = {name: batch.column(name) for name in _FIELDS}
        self._offsets = {name: _offsets(column) for name, column in columns.items()}
        # Arrow packs booleans into bits: those are unpacked row by row, not all at once.
        self._values = {
            name: each.values
            if pa.types.is_boolean(each.type.value_type)
            else each.values.to_numpy()
            for name, each in columns.items()
        }
        # Most columns have a value in every row, or in none.
        self._present = {name: _presence(column) for name, column in columns.items()}
        # Columns without a value are not looked at again, row by row.
        self._filled = [
            (name, self._offsets[name], self._values[name], present)
            for name, present in self._present.items()
            if present is not False
        ]
        self._teachers = _numbers(batch.column('num_teachers'))
        self._more = {MASKS, FEATURES, UNASKED} & set(batch.schema.names)

    def __len__(self) -> int:
        return int(self._batch.num_rows)

    def detections(self, row: int) -> Detections:
        """Return the detections of the image at ``row``."""
        found: dict[str, Any] = {}
        for name, offsets, each, present in self._filled:
            if present is not True and not present[row]:
                continue
            values = each[offsets.item(row) : offsets.item(row + 1)]
            found[name] = values if isinstance(values, np.ndarray) else unpacked(values)
        if 'scores' not in found:
            return _NOT_ASKED
        found['boxes'] = found['boxes'].reshape(-1, 4)
        if 'votes' in found:
            found['votes'] = found['votes'].reshape(len(found['boxes']), int(self._teachers[row]))
        if MASKS in self._more:
            stored = self._batch.column(MASKS)[row].as_py()
            if stored is not None:
                found[MASKS] = np.array([*stored, None], np.object_)[:-1]
        if FEATURES in self._more:
            content = self._batch.column(FEATURES)[row].as_buffer()
            if content is not None:
                values = np.frombuffer(content, np.float16)
                found[FEATURES] = values.reshape(len(found['boxes']), -1)
        made = object.__new__(Detections)
        # Not by the constructor: columns of one table are of one length.
        vars(made).update(_NOTHING)
        vars(made).update(found)
        return made

    def taught(self, row: int) -> Taught:
        """Return what a student learns from of the image at ``row``, as plain values."""
        offsets, corners, labels, scores, flags, weighs = self._columns
        own = slice(offsets[row], offsets[row + 1])
        ignore = self._of_boxes('ignore', row) if flags is None else flags[own]
        if ignore is None:
            ignore = [0] * (own.stop - own.start)
        weights = self._of_boxes('weights', row) if weighs else None
        return corners[own].tolist(), labels[own], scores[own], ignore, weights

    def unasked(self, row: int) -> tuple[int, ...]:
        """Return the numbers of the teachers that did not predict on the image at ``row``."""
        if UNASKED not in self._more:
            return ()
        offsets, numbers = self._unasked
        return tuple(numbers[offsets.item(row) : offsets.item(row + 1)].tolist())

    @cached_property
    def _unasked(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        column = self._batch.column(UNASKED)
        return _offsets(column), column.values.to_numpy()

    @cached_property
    def _columns(self) -> tuple[Any, ...]:
        """What every row has: offsets, boxes, labels, scores.

        Then ignore flags where every row has them, and whether any row has weights.
        """
        values, offsets = self._values, self._offsets['labels']
        flags = self._present['ignore'] is True
        flags &= np.array_equal(offsets, self._offsets['ignore'])
        # Memoryviews, of which few values are read faster than of arrays.
        return (
            offsets.data,
            values['boxes'].reshape(-1, 4).data,
            values['labels'].data,
            values['scores'].data,
            self._ignore.data if flags else None,
            self._present['weights'] is not False,
        )

    def _of_boxes(self, name: str, row: int) -> list[Any] | None:
        present = self._present[name]
        if present is False or (present is not True and not present[row]):
            return None
        offsets = self._offsets[name]
        values = self._ignore if name == 'ignore' else self._values[name]
        part: list[Any] = values[offsets.item(row) : offsets.item(row + 1)].tolist()
        return part

    @cached_property
    def _ignore(self) -> NDArray[np.uint8]:
        return unpacked(self._values['ignore']).view(np.uint8)

    def unreadable(self, row: int) -> str | None:
        """Return why the image at ``row`` could not be read, None where it could."""
        reason: str | None = self._batch.column('unreadable')[row].as_py()
        return reason

    def flat(self, name: str) -> tuple[NDArray[np.int64], NDArray[Any] | None]:
        """Return a column's offsets ``(rows + 1,)`` and values, None where no row has any."""
        if self._present[name] is False:
            return self._offsets[name], None
        values = self._values[name]
        return self._offsets[name], values if isinstance(values, np.ndarray) else unpacked(values)


_NOTHING, _NOT_ASKED = vars(Detections()), Detections(asked=False)


def unpacked(values: pa.BooleanArray) -> NDArray[np.bool_]:
    """Return booleans a byte each."""
    array: NDArray[np.bool_] = values.to_numpy(zero_copy_only=False)
    return array


def _offsets(column: pa.Array) -> NDArray[np.int64]:
    offsets: NDArray[np.int64] = column.offsets.to_numpy()
    return offsets


def _presence(column: pa.Array) -> bool | NDArray[np.bool_]:
    if column.null_count in (0, len(column)):
        return bool(column.null_count == 0)
    present: NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return present


def _numbers(column: pa.Array) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = column.fill_null(0).to_numpy(zero_copy_only=False)
    return numbers
