"""Tidy a store up: what nobody needs any more goes, and many small parts become few."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmcompose.store.contents import (
    STEP_BOXES,
    WORK,
    are_results,
    check_idle,
    folders,
    result_paths,
)
from mmcompose.store.image_table import ADDRESS, DIGEST
from mmcompose.store.leases import is_lease
from mmcompose.store.location import Location
from mmcompose.store.picture_results import PictureResults
from mmcompose.store.pool_index import FOLDER as POOLS
from mmcompose.utils import fingerprint

# In pictures, and in bytes: what is read again and again, a part at a time.
MERGED_SIZE, MERGED_BYTES = 4096, 16 * 2**20


def collect_garbage(location: Location, makers: Collection[str] | None = None) -> list[str]:
    """Remove what no run needs any more, and return what was removed.

    That is what processes that were killed left behind: half-written files, claims, lists of work,
    boxes between two steps of a label pipeline.

    Args:
        location: The store's.
        makers: Identities of the teachers that are still in use, and of what looks at pictures:
            whatever is made of others goes, too. Defaults to all.

    Raises:
        UserError: If somebody is at work in the store.
    """
    check_idle(location)
    folders_gone = [name for name in (WORK, STEP_BOXES) if location.names(name)]
    unused = set()
    if makers is not None:
        unused = {each.path for each in folders(location) if each.makers - set(makers)}
    folders_gone += sorted(unused)
    gone = [f'{POOLS}/{n}' for n in location.names(POOLS) if n.endswith('.tmp')]
    for path in result_paths(location):
        if path not in unused:
            names = location.names(path)
            if not are_results(names):
                folders_gone.append(path)
                continue
            gone += [f'{path}/{n}' for n in names if n.endswith('.tmp') or is_lease(n)]
    for path in folders_gone:
        location.remove_folder(path)
    for path in gone:
        location.remove(path)
    return folders_gone + gone


def compact(location: Location, size: int = MERGED_SIZE, num_bytes: int = MERGED_BYTES) -> int:
    """Merge small parts into larger ones; return how many parts went.

    A picture that is in two parts, as two runs at once make it, is kept once.

    Args:
        location: The store's.
        size: Of a merged part at most, in pictures. Defaults to 4096.
        num_bytes: The same in bytes. Defaults to 16 MiB.

    Raises:
        UserError: If somebody is at work in the store, or a part is damaged.
    """
    check_idle(location)
    merged = 0
    for folder in folders(location):
        if folder.num_images is None:
            made = PictureResults(location, folder.kind, folder.made_of)
            merged += _compact(made, location, folder.files, (size, num_bytes))
    return merged


def _compact(
    results: PictureResults, location: Location, files: Mapping[str, int], limits: tuple[int, int]
) -> int:
    results.index.refresh()
    names = list(results.index.names)
    rows = _rows_to_keep(results.index.table, len(names))
    small = [
        number
        for number, name in enumerate(names)
        if len(rows[number]) < limits[0] or len(rows[number]) < results.parts.read(name).num_rows
    ]
    sizes = {number: (len(rows[number]), files[names[number]]) for number in small}
    groups = list(_groups(sizes, limits))
    # What is whole already, and alone, stays.
    groups = [
        group for group in groups if len(group) > 1 or not _is_whole(results, names, rows, group)
    ]
    for group in groups:
        tables = [
            results.parts.read(names[number]).take(pa.array(rows[number])) for number in group
        ]
        joined = pa.concat_tables(tables, promote_options='default')
        stem = fingerprint([names[number] for number in group])
        if joined.num_rows:
            results.write_table(f'{stem}-merged', joined)
        for number in group:
            location.remove(results.folder, names[number])
    if groups:
        results.index.refresh()
        results.index.keep()
    return sum(map(len, groups))


def _is_whole(
    results: PictureResults,
    names: list[str],
    rows: Mapping[int, NDArray[np.int64]],
    group: list[int],
) -> bool:
    (number,) = group
    return len(rows[number]) == int(results.parts.read(names[number]).num_rows)


def _rows_to_keep(index: pa.Table, num_parts: int) -> dict[int, NDArray[np.int64]]:
    """Return of each part the rows of pictures that no part before it has.

    A picture that could not be read in one part and could in another is kept as the latter has it.
    """
    index = index.sort_by([(name, 'ascending') for name in ('is_unreadable', 'part', 'row')])
    names = [name for name in (*ADDRESS, DIGEST.name) if name in index.column_names]
    pictures = index.group_by(names, use_threads=False)
    first = pictures.aggregate([('part', 'first'), ('row', 'first')])
    parts, rows = (first.column(f'{name}_first').to_numpy() for name in ('part', 'row'))
    order = np.lexsort((rows, parts))
    ends = np.searchsorted(parts[order], np.arange(num_parts + 1))
    rows = rows[order].astype(np.int64)
    return {number: rows[ends[number] : ends[number + 1]] for number in range(num_parts)}


def _groups(sizes: Mapping[int, tuple[int, int]], limits: tuple[int, int]) -> Iterator[list[int]]:
    """Yield parts that together are no larger than the limits, in order.

    Args:
        sizes: Of each part, in pictures and in bytes.
        limits: The same of a group; one part alone may be larger.
    """
    group: list[int] = []
    held = np.zeros(2, np.int64)
    for number, each in sizes.items():
        if group and np.any(held + each > limits):
            yield group
            group, held = [], np.zeros(2, np.int64)
        group.append(number)
        held = held + each
    if group:
        yield group
