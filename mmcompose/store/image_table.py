"""ImageTable: a pool's images as columns, for lists too long for objects."""

from __future__ import annotations

import hashlib
import os
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
# What decides which picture it is, wherever its pool is kept.
ADDRESS = ('key', 'width', 'height', 'num_bytes')


class ImageTable(Sequence[Image]):
    """Images as rows of an Arrow table; each :class:`Image` is made when it is looked at.

    Args:
        table: With the columns of :data:`SCHEMA`.
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
        return cls(pa.table(columns, schema=SCHEMA))

    @classmethod
    def open(cls, path: Path) -> ImageTable:
        """Map a file that :meth:`save` wrote."""
        return cls(pa.ipc.open_file(pa.memory_map(str(path))).read_all(), path)

    def save(self, path: Path) -> ImageTable:
        """Write it to a file, and return it mapped from there."""
        with pa.OSFile(str(path), 'wb') as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
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
        return self._image(self.table.slice(row, 1).to_pylist()[0])

    def __iter__(self) -> Iterator[Image]:
        for batch in self.table.to_batches(max_chunksize=1024):
            yield from map(self._image, batch.to_pylist())

    @staticmethod
    def _image(row: dict[str, Any]) -> Image:
        image = Image(row['key'], os.fsdecode(row['path']), row['width'], row['height'])
        # Found when the pool was listed: no further look at the file.
        vars(image)['num_bytes'] = row['num_bytes']
        return image

    def take(self, rows: NDArray[np.int64]) -> ImageTable:
        """Return some of the images, in the order of ``rows``."""
        return ImageTable(self.table.take(pa.array(rows, pa.int64())))

    @property
    def keys(self) -> pa.ChunkedArray:
        """The images' keys, in order, as they are stored."""
        return self.table.column('key')

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that address the list: keys, sizes and sizes of files, in order."""
        digest = hashlib.sha256()
        for name in ADDRESS:
            column = self.table.column(name).combine_chunks()
            if name == 'key':
                digest.update(pc.binary_length(column).to_numpy(zero_copy_only=False).tobytes())
                digest.update(b''.join(pc.cast(column, pa.large_binary()).to_pylist()))
            else:
                known = pc.fill_null(column, -1)
                digest.update(known.to_numpy(zero_copy_only=False).astype(np.int64).tobytes())
        return digest.hexdigest()[:FINGERPRINT_LENGTH]


def stored_key(key: str) -> str:
    """Return a key as it is stored: Arrow takes no file name that is not Unicode."""
    return key.encode('utf-8', 'backslashreplace').decode()
