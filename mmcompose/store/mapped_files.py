"""Files that are mapped into memory: verified once by each process that opens them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from mmcompose.store.detection_table import BATCH_SIZE, FINGERPRINT, DetectionTable
from mmcompose.store.location import KEY, Location
from mmcompose.store.sealed import find_sealed, is_sound_file, seal
from mmcompose.utils import UserError, log, problem

_STEM, _SUFFIX = 'labels', '.arrow'
# By path, size and time: as they were when they were found sound.
_VERIFIED: dict[tuple[str, int, int], bool] = {}


def cache_folder() -> Path:
    """Return where this machine keeps files that it maps of stores that are elsewhere."""
    cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(cache).expanduser() / 'mmcompose' / 'stores'


def find_mapped(location: Location, folder: str, made_by: str, verify: bool = True) -> Path | None:
    """Return the path of a folder's mapped file, None where there is none that is sound.

    One that is damaged is removed, for it is made anew of what it was made of.

    Args:
        location: Of files on this machine.
        folder: Where in it.
        made_by: What addresses the folder; the file holds it, too.
        verify: Whether to read it through. Defaults to True; False where another process has.
    """
    for name in find_sealed(location, folder, _STEM, _SUFFIX):
        path = location.local(folder, name)
        assert path is not None
        if (not verify or _is_verified(path)) and DetectionTable(path).fingerprint == made_by:
            return path
        log(f'{path}: is damaged; it is made anew')
        location.remove(folder, name)
    return None


def _is_verified(path: Path) -> bool:
    found = path.stat()
    state = (str(path), found.st_size, found.st_mtime_ns)
    if state not in _VERIFIED:
        _VERIFIED[state] = is_sound_file(path)
    return _VERIFIED[state]


def write_mapped(
    folder: Path, tables: Iterable[pa.Table], schema: pa.Schema, fingerprint: str
) -> None:
    """Write tables as one file that :class:`DetectionTable` maps.

    Args:
        folder: Where to.
        tables: Rows in order, in tables of any lengths.
        schema: Of the file; what a table lacks is null.
        fingerprint: What addresses the detections in the store.

    Raises:
        UserError: If it cannot be written.
    """
    temporary = folder / f'.{_STEM}.{uuid.uuid4().hex}.tmp'
    schema = schema.with_metadata({FINGERPRINT: fingerprint.encode()})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(temporary), 'wb') as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in _batches(tables, schema):
                writer.write_batch(batch)
        temporary.replace(folder / seal(temporary, _STEM, _SUFFIX))
    except OSError as error:
        raise UserError(problem(KEY, str(folder), f'cannot be written: {error}')) from error
    finally:
        temporary.unlink(missing_ok=True)


def _batches(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows in batches of one size, the last one excepted."""
    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, _with_columns(table, schema)])
        while waiting.num_rows >= BATCH_SIZE:
            yield _one_batch(waiting.slice(0, BATCH_SIZE))
            waiting = waiting.slice(BATCH_SIZE)
    if waiting.num_rows:
        yield _one_batch(waiting)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    (batch,) = table.combine_chunks().to_batches()
    return batch


def _with_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table.column(field.name)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
