"""DetectionTable: detections of a whole pool, mapped into memory from one Arrow file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mmcompose.store.columns import MASKS, UNASKED, Rows, Taught
from mmcompose.structures import Detections
from mmcompose.utils import Selection

# Rows of a record batch of the file, the last one excepted: so a row's batch is known by division.
BATCH_SIZE = 4096
FINGERPRINT = b'fingerprint'


class DetectionTable(Sequence[Detections]):
    """Detections of many images, read row by row from a memory-mapped Arrow file.

    Only the path travels to another process, and rows are views of the map: a process's own
    memory does not grow with the number of images.

    Args:
        path: An Arrow IPC file as :func:`mmcompose.store.mapped_files.write_mapped` writes it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file: Any = None
        self._rows: dict[int, Rows] = {}
        self._length: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {'path': self.path, '_file': None, '_rows': {}, '_length': None}

    @property
    def _reader(self) -> Any:
        if self._file is None:
            self._file = pa.ipc.open_file(pa.memory_map(str(self.path)))
        return self._file

    def _batch(self, number: int) -> Rows:
        if number not in self._rows:
            self._rows[number] = Rows(self._reader.get_batch(number))
        return self._rows[number]

    def _batches(self) -> Iterator[Rows]:
        return (self._batch(number) for number in range(self._reader.num_record_batches))

    def _column(self, name: str) -> pa.ChunkedArray:
        return self._reader.read_all().column(name)

    @property
    def fingerprint(self) -> str:
        """What addresses the detections in the store."""
        return str((self._reader.schema.metadata or {}).get(FINGERPRINT, b'').decode())

    def __len__(self) -> int:
        if self._length is None:
            batches = self._reader.num_record_batches
            last = self._reader.get_batch(batches - 1).num_rows if batches else 0
            self._length = max(batches - 1, 0) * BATCH_SIZE + last
        return self._length

    @property
    def keys(self) -> list[str]:
        """The images' keys, in order."""
        keys: list[str] = self._column('key').to_pylist()
        return keys

    def are_of(self, keys: pa.ChunkedArray) -> bool:
        """Return whether the rows are those of images with these keys, in order."""
        own = self._column('key')
        if len(own) != len(keys):
            return False
        same = pc.all(pc.equal(pc.cast(own, pa.large_string()), keys)).as_py()
        return bool(same is not False)

    @property
    def num_boxes(self) -> int:
        """How many boxes all images have together."""
        return sum(int(rows.flat('scores')[0][-1] - rows.flat('scores')[0][0])
                   for rows in self._batches())  # fmt: skip

    @property
    def has_masks(self) -> bool:
        """Whether any box has a mask."""
        if MASKS not in self._reader.schema.names:
            return False
        chunks = (chunk.flatten() for chunk in self._column(MASKS).chunks)
        return any(chunk.null_count < len(chunk) for chunk in chunks)

    @cached_property
    def has_unasked(self) -> bool:
        """Whether any teacher did not predict on any image."""
        return UNASKED in self._reader.schema.names

    def unasked(self, row: int) -> tuple[int, ...]:
        """Return the numbers of the teachers that did not predict on the image at ``row``."""
        if not self.has_unasked:
            return ()
        return self._batch(row // BATCH_SIZE).unasked(row % BATCH_SIZE)

    def count_unasked(self, rows: NDArray[np.int64] | None = None) -> dict[tuple[int, ...], int]:
        """Return the distinct values of :meth:`unasked`, and how many images have each.

        Args:
            rows: Only of these, each as often as it is named. Defaults to all, once.
        """
        distinct, codes = self._distinct_unasked
        counts = np.bincount(codes if rows is None else codes[rows], minlength=len(distinct))
        return {each: int(count) for each, count in zip(distinct, counts, strict=True) if count}

    @cached_property
    def _distinct_unasked(self) -> tuple[list[tuple[int, ...]], NDArray[np.int64]]:
        """The distinct values of :meth:`unasked`, and the number of that of each row."""
        if not self.has_unasked:
            return [()], np.zeros(len(self), np.int64)
        # Arrow tells texts apart, and no lists.
        texts = self._column(UNASKED).cast(pa.large_list(pa.string()))
        coded = pc.binary_join(texts, ' ').fill_null('').combine_chunks().dictionary_encode()
        distinct = [tuple(map(int, each.split())) for each in coded.dictionary.to_pylist()]
        return distinct, coded.indices.to_numpy().astype(np.int64)

    def unreadable(self) -> dict[int, str]:
        """Return why images could not be read, by row."""
        column = self._column('unreadable')
        if column.null_count == len(column):
            return {}
        rows = np.flatnonzero(column.is_valid().to_numpy())
        return {int(row): column[int(row)].as_py() for row in rows}

    def readable(self) -> list[int]:
        """Return the rows of the images that could be read."""
        unreadable = self.unreadable()
        return [row for row in range(len(self)) if row not in unreadable]

    def size(self, row: int) -> tuple[int, int]:
        """Return the width and height of the image at ``row``, in pixels."""
        batch = self._reader.get_batch(row // BATCH_SIZE)
        width, height = (
            batch.column(name)[row % BATCH_SIZE].as_py() for name in ('width', 'height')
        )
        return width, height

    def __getitem__(self, row: Any) -> Any:
        """Return the detections of the image at ``row``, or of a slice of rows those of each."""
        if isinstance(row, slice):
            return Selection(self, range(len(self))[row])
        row = range(len(self))[row]
        return self._batch(row // BATCH_SIZE).detections(row % BATCH_SIZE)

    def taught(self, row: int) -> Taught:
        """Return what a student learns from of the image at ``row``; see :meth:`Rows.taught`."""
        number = row // BATCH_SIZE
        # Not through a further call where the batch is there: this is read for every step.
        rows = self._rows[number] if number in self._rows else self._batch(number)
        return rows.taught(row % BATCH_SIZE)

    def count_boxes(
        self, num_classes: int, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Return ``(C, 2)``: how many boxes of each class are kept, and how many ignored.

        Args:
            num_classes: C.
            rows: Only of these, each as often as it is named. Defaults to all, once.
        """
        times = None if rows is None else np.bincount(rows, minlength=len(self))
        counts = np.zeros(2 * num_classes, np.int64)
        for number, batch in enumerate(self._batches()):
            offsets, labels = batch.flat('labels')
            _, ignore = batch.flat('ignore')
            within = slice(offsets[0], offsets[-1])
            cells = 2 * np.asarray(labels)[within]
            if ignore is not None:
                cells = cells + ignore[within]
            weights = None
            if times is not None:
                own = times[number * BATCH_SIZE : number * BATCH_SIZE + len(batch)]
                weights = np.repeat(own, np.diff(offsets))
            counts += np.bincount(cells, weights, 2 * num_classes).astype(np.int64)
        return counts.reshape(num_classes, 2)
