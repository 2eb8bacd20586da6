"""Parts: Parquet files of up to 256 pictures each, whole or absent, verified on reading."""

from __future__ import annotations

from collections import OrderedDict

import pyarrow as pa
import pyarrow.parquet as pq

from mmcompose.store.columns import FEATURES, Rows
from mmcompose.store.location import KEY, Location
from mmcompose.store.sealed import damaged, read_sealed, stem_of, write_sealed
from mmcompose.utils import UserError, problem

PART_SIZE = 256
SUFFIX = '.parquet'
MADE_BY = b'made_by'
# Of decoded parts that a process keeps at hand, of one result: a pool goes through them in order,
# or, where several runs made it, to and fro between a few. One of features has 18 MB.
_CACHE_BYTES = 64 * 2**20


class Parts:
    """The parts in one folder of a store.

    Args:
        location: The store's.
        folder: Where in it.
        made_by: What addresses the folder; each part holds it, so that one that was moved here
            from another folder is noticed.
    """

    def __init__(self, location: Location, folder: str, made_by: str) -> None:
        self._location = location
        self._folder = folder
        self._made_by = made_by.encode()
        self._tables: OrderedDict[str, pa.Table] = OrderedDict()
        self._rows: dict[str, Rows] = {}
        self._num_bytes = 0

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), '_tables': OrderedDict(), '_rows': {}, '_num_bytes': 0}

    def names(self) -> list[str]:
        """Return the names of the parts that are there, sorted."""
        return [name for name in self._location.names(self._folder) if is_part(name)]

    def stems(self) -> set[str]:
        """Return what parts that are there were written as."""
        return {stem_of(name) for name in self.names()}

    def write(self, stem: str, table: pa.Table) -> str:
        """Write a part, whole or not at all, and return its name.

        Raises:
            UserError: If it cannot be written.
        """
        sink = pa.BufferOutputStream()
        made = table.replace_schema_metadata({MADE_BY: self._made_by})
        # Coordinates repeat too seldom for a dictionary, and features for compression, too.
        compression = 'none' if FEATURES in made.column_names else 'zstd'
        pq.write_table(
            made, sink, compression=compression, use_dictionary=False, write_statistics=False
        )
        content = sink.getvalue().to_pybytes()
        return write_sealed(self._location, self._folder, stem, content, SUFFIX)

    def read(self, name: str) -> pa.Table:
        """Read a part.

        Raises:
            UserError: If it is gone, damaged, or another folder's.
        """
        if name not in self._tables:
            table = self._load(name)
            self._num_bytes += table.nbytes
            while self._tables and self._num_bytes > _CACHE_BYTES:
                oldest, gone = self._tables.popitem(last=False)
                self._num_bytes -= gone.nbytes
                self._rows.pop(oldest, None)
            self._tables[name] = table
        self._tables.move_to_end(name)
        return self._tables[name]

    def column(self, name: str, column: str) -> pa.Array:
        """Read one column of a part alone; see :meth:`read`."""
        table = self._tables[name] if name in self._tables else self._load(name, [column])
        return table.column(column).combine_chunks()

    def schema(self, name: str) -> pa.Schema:
        """Read which columns a part has; see :meth:`read`."""
        return pq.read_schema(pa.BufferReader(self._content(name)))

    def rows(self, name: str) -> Rows:
        """Read a part's detections; see :meth:`read`."""
        table = self.read(name)
        if name not in self._rows:
            batches = table.combine_chunks().to_batches()
            self._rows[name] = Rows(batches[0] if batches else _empty(table.schema))
        return self._rows[name]

    def find(self, name: str) -> Rows | None:
        """Read a part's detections; None where another process has removed it since.

        Raises:
            UserError: If it is damaged, or another folder's.
        """
        try:
            return self.rows(name)
        except UserError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def _content(self, name: str) -> bytes:
        try:
            return read_sealed(self._location, self._folder, name)
        except FileNotFoundError as error:
            path = self._location.path(self._folder, name)
            expected = 'was deleted while it was in use; run again, and it is made anew'
            raise UserError(problem(KEY, path, expected)) from error

    def _load(self, name: str, columns: list[str] | None = None) -> pa.Table:
        path, content = self._location.path(self._folder, name), self._content(name)
        try:
            # Files are small: threads that share one out cost more than they save.
            table = pq.ParquetFile(pa.BufferReader(content)).read(columns, use_threads=False)
        except pa.ArrowInvalid as error:
            raise damaged(path) from error
        if (table.schema.metadata or {}).get(MADE_BY) != self._made_by:
            expected = "is another folder's; delete it, and what belongs here is made anew"
            raise UserError(problem(KEY, path, expected))
        return table


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=schema)


def is_part(name: str) -> bool:
    """Return whether a file is a part, and not something beside them."""
    return name.endswith(SUFFIX) and not name.startswith('.')
