"""ImageTable: a pool's images as columns, for lists too long for objects."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mmcompose.structures import Image
from mmcompose.utils.hashing import FINGERPRINT_LENGTH

SCHEMA = pa.schema(
    [
        pa.field('key', pa.large_string(), nullable=False),
        pa.field('width', pa.int32(), nullable=False),
        pa.field('height', pa.int32(), nullable=False),
        # Of the picture's file; null where it is not known.
        pa.field('num_bytes', pa.int64()),
        # As the file system has it: a file's name need not be Unicode.
        pa.field('path', pa.large_binary(), nullable=False),
    ]
)
# How `os.fsdecode` reads names.
_OF_FILES = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
# Only of pools that ask for it: of a file's content, null where it cannot be read.
DIGEST = pa.field('digest', pa.large_string())
# What decides which picture it is, wherever its pool is kept; after it DIGEST, where there is one.
ADDRESS = ('key', 'width', 'height', 'num_bytes')


class ImageTable(Sequence[Image]):
    """Images as rows of an Arrow table; each :class:`Image` is made when it is looked at.

    Args:
        table: With the columns of :data:`SCHEMA`, and :data:`DIGEST` where that was asked for.
        path: The file that it was mapped from, which then travels to other processes in its place.
    """

    def __init__(self, table: pa.Table, path: Path | None = None) -> None:
        self.table = table
        self._path = path

    @classmethod
    def of(cls, images: Sequence[Image]) -> ImageTable:
        """Make one of any images."""
        if isinstance(images, ImageTable):
            return images
        columns: dict[str, list[Any]] = {
            'key': [stored_key(image.key) for image in images],
            'width': [image.width for image in images],
            'height': [image.height for image in images],
            'num_bytes': [image.num_bytes for image in images],
            'path': [os.fsencode(image.path) for image in images],
        }
        if not any(image.digest for image in images):
            return cls(pa.table(columns, schema=SCHEMA))
        columns[DIGEST.name] = [image.digest for image in images]
        return cls(pa.table(columns, schema=SCHEMA.append(DIGEST)))

    @classmethod
    def of_columns(cls, table: pa.Table) -> ImageTable:
        """Make one of a table that may have further columns."""
        return cls(table.select(_names(table)))

    @classmethod
    def join(cls, tables: Sequence[ImageTable]) -> ImageTable:
        """Return the images of several tables, one after another."""
        joined = pa.concat_tables([each.table for each in tables], promote_options='default')
        return cls(joined.combine_chunks())

    @classmethod
    def open(cls, path: Path) -> ImageTable:
        """Map a file that :meth:`save` wrote, or one that has further columns."""
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        return cls(table.select(_names(table)), path)

    def save(self, path: Path) -> ImageTable:
        """Write it to a file, and return it mapped from there."""
        with pa.OSFile(str(path), 'wb') as sink, pa.ipc.new_file(sink, self.table.schema) as writer:
            writer.write_table(self.table.combine_chunks())
        return ImageTable.open(path)

    def __reduce__(self) -> Any:
        if self._path is not None:
            return (ImageTable.open, (self._path,))
        return (ImageTable, (self.table,))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @overload
    def __getitem__(self, row: int) -> Image: ...

    @overload
    def __getitem__(self, row: slice) -> ImageTable: ...

    def __getitem__(self, row: int | slice) -> Image | ImageTable:
        if isinstance(row, slice):
            return self.take(np.arange(len(self))[row])
        row = range(len(self))[row]
        image = Image(*self.plain_row(row))
        # Found when the pool was listed: no further look at the file.
        num_bytes = self._num_bytes.item(row)
        vars(image)['num_bytes'] = None if num_bytes < 0 else num_bytes
        if self.has_digests:
            image.digest = self.table.column(DIGEST.name)[row].as_py()
        return image

    def __iter__(self) -> Iterator[Image]:
        return map(self.__getitem__, range(len(self)))

    def plain_row(self, row: int) -> tuple[str, str, int, int]:
        """Return an image's key, path, width and height; ``row`` counts from the start."""
        keys, paths, widths, heights = self._views
        path = str(paths[row], *_OF_FILES)
        return str(keys[row], 'utf-8'), path, widths.item(row), heights.item(row)

    @cached_property
    def _views(self) -> tuple[Texts, Texts, NDArray[np.int32], NDArray[np.int32]]:
        return (
            Texts(_one_piece(self.table.column('key'))),
            Texts(_one_piece(self.table.column('path'))),
            self.table.column('width').to_numpy(),
            self.table.column('height').to_numpy(),
        )

    @cached_property
    def _num_bytes(self) -> NDArray[np.int64]:
        """``(N,)``, -1 where it is not known."""
        column = _one_piece(self.table.column('num_bytes'))
        known = pc.fill_null(column, -1) if column.null_count else column
        found: NDArray[np.int64] = known.to_numpy()
        return found

    def take(self, rows: NDArray[np.int64]) -> ImageTable:
        """Return some of the images, in the order of ``rows``."""
        return ImageTable(self.table.take(pa.array(rows, pa.int64())))

    @property
    def has_digests(self) -> bool:
        """Whether the content of a file belongs to its picture's address."""
        return DIGEST.name in self.table.schema.names

    @property
    def keys(self) -> pa.ChunkedArray:
        """The images' keys, in order, as they are stored."""
        return self.table.column('key')

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that address the list: keys, sizes and sizes of files, in order."""
        digest = hashlib.sha256()
        for name in ADDRESS:
            column = _one_piece(self.table.column(name))
            if name == 'key':
                digest.update(pc.binary_length(column).to_numpy(zero_copy_only=False).tobytes())
                digest.update(Texts(column).joined)
            else:
                known = pc.fill_null(column, -1)
                digest.update(known.to_numpy(zero_copy_only=False).astype(np.int64).tobytes())
        if self.has_digests:
            digests = pc.fill_null(_one_piece(self.table.column(DIGEST.name)), '')
            digest.update('\n'.join(digests.to_pylist()).encode())
        return digest.hexdigest()[:FINGERPRINT_LENGTH]


class Texts:
    """The values of an Arrow array of texts or bytes, each as a view of the array's memory.

    Args:
        column: Of type large_string or large_binary, without nulls.
    """

    def __init__(self, column: pa.Array) -> None:
        _, offsets, values = column.buffers()
        within = slice(column.offset, column.offset + len(column) + 1)
        # Of no values there may be no offsets either.
        found = np.frombuffer(offsets, np.int64)[within] if offsets else np.zeros(1, np.int64)
        # Of which Python reads a number faster than of an array.
        self._offsets = found.data
        self._values = memoryview(values if values else b'')

    def __getitem__(self, row: int) -> memoryview:
        """Return the value at ``row``, which counts from the start."""
        return self._values[self._offsets[row] : self._offsets[row + 1]]

    @property
    def joined(self) -> memoryview:
        """All values, one after another."""
        return self._values[self._offsets[0] : self._offsets[-1]]


def _names(table: pa.Table) -> list[str]:
    return [name for name in (*SCHEMA.names, DIGEST.name) if name in table.schema.names]


def _one_piece(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array; of a mapped file that is no copy."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def stored_key(key: str) -> str:
    """Return a key as it is stored: Arrow takes no file name that is not Unicode."""
    return key.encode('utf-8', 'backslashreplace').decode()
