"""PictureIndex: in which part, and in which of its rows, a picture's result is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mmcompose.store.image_table import DIGEST, ImageTable
from mmcompose.store.location import Location
from mmcompose.store.parts import Parts
from mmcompose.store.sealed import find_sealed, is_sound, write_sealed

_STEM, _SUFFIX = 'index', '.arrow'
_PARTS = b'parts'
_SCHEMA = pa.schema(
    [
        pa.field('key', pa.large_string(), nullable=False),
        pa.field('width', pa.int32(), nullable=False),
        pa.field('height', pa.int32(), nullable=False),
        pa.field('num_bytes', pa.int64()),
        pa.field('is_unreadable', pa.bool_(), nullable=False),
        # The part's place among the names in the file's metadata.
        pa.field('part', pa.int32(), nullable=False),
        pa.field('row', pa.int32(), nullable=False),
    ]
)


class PictureIndex:
    """Where each picture's row is among the parts of a folder.

    It follows from the parts: one that is missing, damaged or behind them is made anew from them.
    A copy is kept beside them, since reading a million pictures' parts takes minutes.

    Args:
        location: The store's.
        folder: Where the parts are.
        parts: The parts.
    """

    def __init__(self, location: Location, folder: str, parts: Parts) -> None:
        self._location = location
        self._folder = folder
        self._parts = parts
        self._names: list[str] = []
        self._table = _SCHEMA.empty_table()
        self._kept: str | None = None

    def refresh(self) -> None:
        """Take in the parts that were added, and leave out those that are gone."""
        if not self._names:
            self._load()
        there = self._parts.names()
        if there == self._names:
            return
        known = {name: number for number, name in enumerate(self._names)}
        tables = []
        stay = [name for name in there if name in known]
        if stay == self._names:
            tables.append(self._table)
        else:
            numbers = pa.array([known[name] for name in stay], pa.int32())
            place = pc.index_in(self._table.column('part'), value_set=numbers)
            kept = pc.is_valid(place)
            tables.append(_with_part(self._table.filter(kept), place.filter(kept)))
        added = [name for name in there if name not in known]
        for number, name in enumerate(added, start=len(stay)):
            tables.append(_entries(self._parts.read(name), number))
        # By name, whoever saw which part first: one picture in two parts is read from the first.
        unordered = [*stay, *added]
        places = np.argsort(np.argsort(np.array(unordered, np.str_), kind='stable'), kind='stable')
        joined = pa.concat_tables(tables, promote_options='default').combine_chunks()
        part = places[joined.column('part').to_numpy()] if len(joined) else np.zeros(0)
        joined = _with_part(joined, pa.array(part.astype(np.int32)))
        self._table = joined.sort_by([('part', 'ascending'), ('row', 'ascending')])
        self._names = there

    def keep(self) -> None:
        """Write it beside the parts; whoever has seen the same parts writes the same bytes."""
        metadata = {_PARTS: '\n'.join(self._names).encode()}
        sink = pa.BufferOutputStream()
        table = self._table.combine_chunks().replace_schema_metadata(metadata)
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        content = sink.getvalue().to_pybytes()
        name = write_sealed(self._location, self._folder, _STEM, content, _SUFFIX)
        for other in find_sealed(self._location, self._folder, _STEM, _SUFFIX):
            if other != name:
                self._location.remove(self._folder, other)

    def _load(self) -> None:
        for name in find_sealed(self._location, self._folder, _STEM, _SUFFIX):
            try:
                content = self._location.read(self._folder, name)
            except FileNotFoundError:
                # Another process has just put a newer one in its place.
                continue
            if is_sound(name, content):
                table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
                names = table.schema.metadata[_PARTS].decode().split('\n')
                self._names = [each for each in names if each]
                self._table = table.replace_schema_metadata(None)
                return

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @property
    def names(self) -> Sequence[str]:
        """The parts that it covers, sorted."""
        return self._names

    @property
    def table(self) -> pa.Table:
        """A row a stored picture: its address, its part's place in :attr:`names`, its row there."""
        return self._table

    def locate(self, images: ImageTable) -> NDArray[np.int64]:
        """Return ``(N,)``: each image's row in :attr:`table`, -1 where there is none.

        A picture is found by key, width, height and the size of its file, and by the digest of its
        content where the images have one. Where the size is not known, here or there, the others
        decide. What could not be read is found only where nothing that could is: by all of these.
        """
        stored, pool = self._table, images.table
        digests = images.has_digests
        unreadable = stored.column('is_unreadable')
        readable = pc.invert(unreadable)
        unsized = pc.is_null(pool.column('num_bytes'))
        every = pa.array(np.ones(len(images), np.bool_))
        found = np.full(len(images), -1, np.int64)
        for wanted, offered, sized in (
            (every, readable, True),
            (unsized, readable, False),
            (pc.invert(unsized), pc.and_(readable, pc.is_null(stored.column('num_bytes'))), False),
            (every, unreadable, True),
        ):
            rows = np.flatnonzero((found < 0) & wanted.to_numpy(zero_copy_only=False))
            candidates = np.flatnonzero(offered.to_numpy())
            if len(rows) and len(candidates):
                asked = _addresses(pool.take(pa.array(rows)), digests, sized)
                given = _addresses(stored.take(pa.array(candidates)), digests, sized)
                places = _places(asked, given)
                found[rows] = np.where(places < 0, -1, candidates[places])
        return found

    def parts_without(self, images: ImageTable) -> list[str]:
        """Return the names of the parts in which some of the images could not be read."""
        rows = self._table.filter(self._table.column('is_unreadable'))
        digests = images.has_digests
        places = _places(_addresses(rows, digests), _addresses(images.table, digests))
        parts = np.unique(rows.column('part').to_numpy()[places >= 0])
        return [self._names[part] for part in parts.tolist()]


def _entries(part: pa.Table, number: int) -> pa.Table:
    rows = part.num_rows
    columns = [
        pc.cast(part.column('key'), pa.large_string()),
        *(part.column(name) for name in ('width', 'height', 'num_bytes')),
        pc.is_valid(part.column('unreadable')),
        pa.array(np.full(rows, number, np.int32)),
        pa.array(np.arange(rows, dtype=np.int32)),
    ]
    table = pa.table(columns, schema=_SCHEMA)
    if DIGEST.name in part.schema.names:
        table = table.append_column(DIGEST, part.column(DIGEST.name))
    return table


def _with_part(table: pa.Table, part: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(_SCHEMA.get_field_index('part'), _SCHEMA.field('part'), part)


def _addresses(table: pa.Table, digests: bool, sized: bool = True) -> pa.ChunkedArray:
    """Return what a picture is found by, as one string a row."""
    names = ['width', 'height', *(['num_bytes'] if sized else [])]
    columns = [pc.fill_null(pc.cast(table.column(name), pa.large_string()), '') for name in names]
    if digests:
        none = pa.nulls(table.num_rows, DIGEST.type)
        there = DIGEST.name in table.schema.names
        columns.append(pc.fill_null(table.column(DIGEST.name) if there else none, ''))
    key = pc.cast(table.column('key'), pa.large_string())
    return pc.binary_join_element_wise(*columns, key, pa.scalar(':', pa.large_string()))


def _places(wanted: pa.ChunkedArray, offered: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the first place of each value among those offered, -1 where there is none."""
    if not len(offered):
        return np.full(len(wanted), -1, np.int64)
    places = pc.fill_null(pc.index_in(wanted, value_set=offered), -1)
    return np.array(places.to_numpy(), np.int64)
