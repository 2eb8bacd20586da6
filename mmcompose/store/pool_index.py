"""PoolIndex: what was found of a pool's pictures, kept so that none is opened a second time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmcompose.store.image_table import DIGEST, SCHEMA, ImageTable
from mmcompose.store.location import Location
from mmcompose.store.sealed import find_sealed, is_sound, is_sound_file, write_sealed
from mmcompose.utils import UserError, fingerprint, log, progress

FOLDER = 'pools'
_SUFFIX = '.arrow'
# A pool's images, and when each file was changed last, in nanoseconds; 0 where it is not known.
POOL_SCHEMA = SCHEMA.append(pa.field('modified', pa.int64(), nullable=False))
# What stands for a width or height that is in no list, and has to be read from the picture.
UNKNOWN = -1
# In the metadata: the size and time of the file that lists the pictures.
_LIST = b'list'

# Returns a picture's width and height by its path.
SizeOf = Callable[[str], tuple[int, int]]
# Returns a digest of a file's content by its path, None where it cannot be read.
DigestOf = Callable[[str], str | None]


class PoolIndex:
    """The pictures of a pool as they were when it was listed last, as a file in the store.

    A picture is the same while the size and the time of its file are.

    Args:
        location: The store's.
        source: What the pool is listed from, as plain values.
    """

    def __init__(self, location: Location, source: Mapping[str, Any]) -> None:
        self._location = location
        self._stem = fingerprint(source)

    def unchanged(self, list_file: str) -> ImageTable | None:
        """Return the images of a list that need not be read again, None where it has to.

        That is where neither its file nor a picture's has changed since :meth:`update`.

        Args:
            list_file: A file on this machine that lists the pictures.
        """
        name, kept = self._read()
        if kept is None or (kept.schema.metadata or {}).get(_LIST) != _state(list_file):
            return None
        # What could not be read then may be readable now.
        if not kept.column('width').to_numpy().all():
            return None
        sizes, times = kept.column('num_bytes'), kept.column('modified').to_numpy()
        # Of a file without a time only the content shows whether it has changed; see `digested`.
        if DIGEST.name in kept.schema.names and not times.all():
            return None
        known = sizes.is_valid().to_numpy()
        sizes = pc.fill_null(sizes, 0).to_numpy()
        for row, path in enumerate(_paths(kept)):
            try:
                found = os.stat(path)
            except (OSError, ValueError):
                if known[row]:
                    return None
            else:
                if (found.st_size, found.st_mtime_ns) != (sizes[row], times[row]):
                    return None
        return self._images(name, kept)

    def update(
        self,
        listed: pa.Table,
        size_of: SizeOf,
        list_file: str | None = None,
        check: Callable[[pa.Table], bool] = lambda table: True,
        digest_of: DigestOf | None = None,
    ) -> ImageTable:
        """Return the images of a listing, and keep them where it has changed.

        Args:
            listed: With the columns of :data:`POOL_SCHEMA`; :data:`UNKNOWN` stands for sizes.
            size_of: Reads a picture's header.
            list_file: The file on this machine that they are listed in; see :meth:`unchanged`.
            check: Looks at them, with the sizes of their files, before they are kept; False where
                the list is to be read again at the next start.
            digest_of: Makes digests of the pictures' content. Defaults to None: there are none.
        """
        name, kept = self._read()
        if digest_of is not None:
            # First: where nothing but the content shows a change, the size that is kept is old.
            listed = digested(listed, kept, digest_of)
        table = sized(listed, kept, size_of, trusts_list=False)
        is_sure = check(table)
        if is_sure and list_file is not None:
            table = table.replace_schema_metadata({_LIST: _state(list_file)})
        if kept is None or not table.equals(kept, check_metadata=True):
            name = self._write(table)
        return self._images(name, table)

    def _images(self, name: str | None, table: pa.Table) -> ImageTable:
        path = None if name is None else self._location.local(FOLDER, name)
        return ImageTable.of_columns(table) if path is None else ImageTable.open(path)

    def _names(self) -> list[str]:
        return find_sealed(self._location, FOLDER, self._stem, _SUFFIX)

    def _read(self) -> tuple[str | None, pa.Table | None]:
        for name in reversed(self._names()):
            path = self._location.local(FOLDER, name)
            if path is not None:
                if path.is_file() and is_sound_file(path):
                    return name, pa.ipc.open_file(pa.memory_map(str(path))).read_all()
                continue
            content = self._location.read(FOLDER, name)
            if is_sound(name, content):
                return name, pa.ipc.open_file(pa.BufferReader(content)).read_all()
        return None, None

    def _write(self, table: pa.Table) -> str | None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        # The last one stays: a process that is still at work may have mapped it.
        *old, last = ['', *self._names()]
        number = int(last.split('-')[1]) + 1 if last else 0
        try:
            content, stem = sink.getvalue().to_pybytes(), f'{self._stem}-{number:06d}'
            name = write_sealed(self._location, FOLDER, stem, content, _SUFFIX)
            for other in filter(None, old):
                self._location.remove(FOLDER, other)
        except UserError as error:
            # Labels that are there can be read all the same.
            log(f'pictures are looked at again at the next start: {error}')
            return None
        return name


def _state(list_file: str) -> bytes:
    found = os.stat(list_file)
    return f'{found.st_size} {found.st_mtime_ns}'.encode()


def _paths(table: pa.Table) -> Iterator[bytes]:
    """Yield paths as the file system has them, without a list of all."""
    for batch in table.select(['path']).to_batches(max_chunksize=65536):
        yield from batch.column(0).to_pylist()


def sized(
    listed: pa.Table, kept: pa.Table | None, size_of: SizeOf, trusts_list: bool = True
) -> pa.Table:
    """Return a listing with each width and height: from what is kept, or from the picture.

    Args:
        listed: See :meth:`PoolIndex.update`; it may have digests.
        kept: An earlier listing with its sizes. None where there is none.
        size_of: Reads a picture's header.
        trusts_list: Whether sizes that are listed are taken as they are. Else those of the files
            count, where any is on this machine.
    """
    sides = {name: listed.column(name).to_numpy().copy() for name in ('width', 'height')}
    is_asked = (sides['width'] == UNKNOWN) | (sides['height'] == UNKNOWN)
    is_here = listed.column('num_bytes').is_valid().to_numpy()
    if not trusts_list and is_here.any():
        # Also of those that are missing among others: they cannot be read.
        is_asked |= ~pc.match_substring(listed.column('path'), b'://').to_numpy()
    unknown = np.flatnonzero(is_asked)
    if kept is not None and len(unknown):
        asked = listed if len(unknown) == len(listed) else listed.take(pa.array(unknown))
        places = _same(asked, kept)
        # What could not be read then may be readable now.
        found = places >= 0
        found[found] = kept.column('width').to_numpy()[places[found]] > 0
        for name, values in sides.items():
            values[unknown[found]] = kept.column(name).to_numpy()[places[found]]
        unknown = unknown[~found]
    paths = listed.column('path')
    for row in unknown.tolist():
        size = size_of(os.fsdecode(paths[row].as_py()))
        sides['width'][row], sides['height'][row] = size
    for name, values in sides.items():
        place = POOL_SCHEMA.get_field_index(name)
        listed = listed.set_column(place, POOL_SCHEMA.field(name), pa.array(values))
    return listed.combine_chunks()


def digested(listed: pa.Table, kept: pa.Table | None, digest_of: DigestOf) -> pa.Table:
    """Return a listing with digests: those that are kept of files that have not changed since.

    Args:
        listed: See :meth:`PoolIndex.update`.
        kept: An earlier listing. None where there is none.
        digest_of: Makes a digest of a file's content.
    """
    digests = pa.nulls(listed.num_rows, DIGEST.type)
    if kept is not None and DIGEST.name in kept.schema.names:
        places = _same(listed, kept)
        # Of a file without a time only the content shows whether it has changed.
        places[listed.column('modified').to_numpy() == 0] = -1
        places = pa.array(places, pa.int64(), mask=places < 0)
        digests = kept.column(DIGEST.name).take(places).combine_chunks()
    unknown = np.flatnonzero(digests.is_null().to_numpy(zero_copy_only=False))
    paths = (os.fsdecode(listed.column('path')[row].as_py()) for row in unknown.tolist())
    made = list(map(digest_of, progress(paths, 'pictures are read', len(unknown))))
    if made:
        digests = pc.replace_with_mask(digests, digests.is_null(), pa.array(made, DIGEST.type))
    return listed.append_column(DIGEST, digests)


def _same(asked: pa.Table, kept: pa.Table) -> Any:
    """Return ``(N,)``: the place of each picture among those kept, -1 where it has changed."""
    if asked.num_rows == kept.num_rows and asked.column('path').equals(kept.column('path')):
        places = np.arange(asked.num_rows)
    else:
        found = pc.index_in(asked.column('path'), value_set=kept.column('path'))
        places = np.array(pc.fill_null(found, -1), np.int64)
    if DIGEST.name in asked.schema.names and DIGEST.name not in kept.schema.names:
        kept = kept.append_column(DIGEST, pa.nulls(kept.num_rows, DIGEST.type))
    there = np.flatnonzero(places >= 0)
    for name, unknown in (('num_bytes', -1), ('modified', -1), (DIGEST.name, '')):
        if name in asked.schema.names:
            columns = (asked, there), (kept, places[there])
            now, then = (
                pc.fill_null(t.column(name).take(pa.array(rows)), unknown) for t, rows in columns
            )
            changed = pc.not_equal(now, then).to_numpy()
            places[there[changed]] = -1
            there = there[~changed]
    return places
