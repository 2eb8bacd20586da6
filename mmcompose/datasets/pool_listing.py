"""A pool's pictures as columns, as they are listed; none is opened for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

import pyarrow as pa

from mmcompose.datasets.image_folders import is_glob
from mmcompose.store import POOL_SCHEMA, UNKNOWN
from mmcompose.store.image_table import stored_key

# Rows of which there are Python objects at once.
_AT_ONCE = 65536


class Listed(NamedTuple):
    """A picture as a folder or a file lists it.

    Args:
        path: A local path or fsspec URL.
        width: In pixels. None where its header has to be read.
        height: Likewise.
        num_bytes: The size of its file. None where it is not known: of a local file it is looked
            up.
        modified: When it was changed last, in nanoseconds; 0 where that is not known.
        key: What addresses it. Defaults to its path in the pool's folder.
    """

    path: str
    width: int | None = None
    height: int | None = None
    num_bytes: int | None = None
    modified: int = 0
    key: str | None = None


def listed_table(listed: Iterable[Listed], prefix: str) -> pa.Table:
    """Put pictures into a table with the columns of :data:`mmcompose.store.POOL_SCHEMA`.

    Args:
        listed: The pictures.
        prefix: The folder that their pool is kept in; see :func:`key_maker`.
    """
    key_of = key_maker(prefix)
    rows = map(_row, iter(listed))
    batches = []
    while some := list(islice(rows, _AT_ONCE)):
        paths, widths, heights, sizes, times, keys = zip(*some, strict=True)
        named = (
            key_of(path) if key is None else key for path, key in zip(paths, keys, strict=True)
        )
        columns = {
            'key': list(map(stored_key, named)),
            'width': widths,
            'height': heights,
            'num_bytes': sizes,
            'path': list(map(os.fsencode, paths)),
            'modified': times,
        }
        arrays = [pa.array(columns[field.name], field.type) for field in POOL_SCHEMA]
        batches.append(pa.record_batch(arrays, schema=POOL_SCHEMA))
    return pa.Table.from_batches(batches, POOL_SCHEMA).combine_chunks()


def _row(one: Listed) -> tuple[str, int, int, int | None, int, str | None]:
    path, width, height, num_bytes, modified, key = one
    if num_bytes is None and '://' not in path:
        try:
            found = os.stat(path)
        # A name with a zero byte is one of no file.
        except (OSError, ValueError):
            pass
        else:
            num_bytes, modified = found.st_size, found.st_mtime_ns
    if width is None or height is None:
        width, height = UNKNOWN, UNKNOWN
    return path, width, height, num_bytes, modified, key


def folder_of(prefix: str) -> str:
    """Return the folder that a pool is kept in: the one above a glob, else the prefix itself."""
    while is_glob(prefix):
        prefix = os.path.dirname(prefix) or '.'
    return prefix


def key_maker(prefix: str) -> Callable[[str], str]:
    """Return what makes a picture's key of its path: its path in the folder of its pool.

    Args:
        prefix: That folder, or a glob in it.
    """
    root = folder_of(prefix)
    start = f'{root.rstrip("/")}/'

    def key_of(path: str) -> str:
        if not root or '://' in path:
            return path
        rest = path[len(start) :]
        # What os.path.relpath makes of most paths, a hundred times faster.
        if path.startswith(start) and not {'.', '..', ''}.intersection(rest.split('/')):
            return rest
        relative = os.path.relpath(path, root)
        return path if relative.startswith('..') else relative

    return key_of
