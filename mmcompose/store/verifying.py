"""Verify a store: every file is read through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmcompose.store.contents import are_results, read_manifest, result_paths
from mmcompose.store.detection_table import FINGERPRINT
from mmcompose.store.leases import is_lease
from mmcompose.store.location import KEY, Location
from mmcompose.store.manifest import NAME as MANIFEST
from mmcompose.store.parts import MADE_BY, is_part
from mmcompose.store.pool_index import FOLDER as POOLS
from mmcompose.store.sealed import is_sound
from mmcompose.utils import Problem, UserError, problem


def verify(location: Location) -> Iterator[tuple[str, Problem | None]]:
    """Yield each file of a store, with what is wrong with it, None where nothing is.

    Args:
        location: The store's.
    """
    for name in location.names(POOLS):
        if not name.startswith('.'):
            yield from _verified(location, POOLS, name)
    for path in result_paths(location):
        names = location.names(path)
        if not are_results(names):
            continue
        try:
            read_manifest(location, path)
        except UserError as error:
            yield f'{path}/{MANIFEST}', error.problems[0]
            continue
        for name in names:
            if name != MANIFEST and not name.startswith('.') and not is_lease(name):
                yield from _verified(location, path, name)


def _verified(location: Location, path: str, name: str) -> Iterator[tuple[str, Problem | None]]:
    try:
        wrong = _wrong(location, path, name)
    except FileNotFoundError:
        # A run beside this one has put another file in its place.
        return
    yield f'{path}/{name}', wrong


def _wrong(location: Location, path: str, name: str) -> Problem | None:
    content = location.read(path, name)
    if not is_sound(name, content):
        expected = 'is damaged; delete it, and what was in it is made anew'
        return problem(KEY, location.path(path, name), expected)
    maker = _maker(name, content)
    if maker is not None and maker.decode() != path.split('/')[1]:
        expected = "is another folder's; delete it"
        return problem(KEY, location.path(path, name), expected)
    return None


def _maker(name: str, content: bytes) -> Any:
    """Return what addresses the folder that a file was written into, None where it has no such."""
    if is_part(name):
        return pq.read_schema(pa.BufferReader(content)).metadata[MADE_BY]
    if name.startswith('labels-'):
        return pa.ipc.open_file(pa.BufferReader(content)).schema.metadata[FINGERPRINT]
    if name.endswith('.json'):
        json.loads(content)
    return None
