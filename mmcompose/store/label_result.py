"""LabelResult: the labels of a pool, made part by part and mapped from one file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmcompose.store.columns import MASKS, SCHEMA, SCHEMA_WITH_MASKS, UNASKED_FIELD
from mmcompose.store.detection_table import DetectionTable
from mmcompose.store.image_table import ImageTable
from mmcompose.store.leases import Leases, is_lease, lease_name
from mmcompose.store.location import KEY, Location
from mmcompose.store.mapped_files import find_mapped, write_mapped
from mmcompose.store.parts import PART_SIZE
from mmcompose.store.pool_parts import PoolParts
from mmcompose.store.sealed import stem_of
from mmcompose.utils import UserError, problem

_POLL_SECONDS = 0.2
_JOIN = 'join'


class LabelResult(PoolParts[Sequence[Mapping[str, Any]]]):
    """Labels that belong to a pool and all that made them.

    Parts are made by any number of processes and then joined into one file on this machine, which
    is mapped. Where the store is on this machine too, that file takes the parts' place.

    Args:
        location: The store's.
        mapped: Where files that are mapped are kept, on this machine.
        made_of: All that decides the labels beside the pool, as plain values.
        images: The pool.
        part_size: How many images make a part. Defaults to 256.
    """

    def __init__(
        self,
        location: Location,
        mapped: Location,
        made_of: Mapping[str, Any],
        images: ImageTable,
        part_size: int = PART_SIZE,
    ) -> None:
        super().__init__(location, 'labels', made_of, images, part_size)
        self._mapped = mapped

    @property
    def path(self) -> str:
        """Where it is."""
        return self._location.path(self.folder)

    def unfinished(self) -> list[int]:
        """Return the parts that are still missing."""
        stems = self._parts.stems()
        missing = [part for part in range(self.num_parts) if self.stem(part) not in stems]
        # In this order: parts go once the joined file is there.
        return [] if missing and self._joined() is not None else missing

    def read(self, check: Callable[[], None] = lambda: None) -> DetectionTable | None:
        """Map the labels, None unless all of them are there.

        Args:
            check: Called while another process joins them; may raise what ends the wait. Defaults
                to nothing.

        Raises:
            UserError: If what is there is of other images.
        """
        unfinished = self.unfinished()
        path = self._joined()
        if path is None and not unfinished:
            path = self._join_once(check)
        if path is None:
            return None
        table = DetectionTable(path)
        if not table.are_of(self.images.keys):
            expected = 'is of other images; delete it, and it is made anew'
            raise UserError(problem(KEY, str(path), expected))
        return table

    def _join_once(self, check: Callable[[], None]) -> Path | None:
        """Join the parts, unless another process does; None where they are gone meanwhile."""
        # One for the whole wait: it remembers since when a claim has not been renewed.
        with Leases(self._mapped, self.folder) as leases:
            while (path := self._joined()) is None and not self.unfinished():
                if not leases.claim(_JOIN):
                    check()
                    time.sleep(_POLL_SECONDS)
                    continue
                # They may have been joined since.
                if self._joined() is None and not self.unfinished():
                    self._join()
                leases.release(_JOIN)
        return path

    def _joined(self) -> Path | None:
        return find_mapped(self._mapped, self.folder, self.fingerprint)

    def _join(self) -> None:
        # One name a part: two processes that both made it may differ in the last bit of a score.
        every = self._parts.names()
        names = sorted({stem_of(name): name for name in every}.values())
        folder = self._mapped.local(self.folder)
        assert folder is not None
        write_mapped(folder, self._tables(names), self._schema(names), self.fingerprint)
        # A process that was killed gave none back.
        gone = [
            n for n in self._location.names(self.folder) if is_lease(n) and n != lease_name(_JOIN)
        ]
        if self._location.url == self._mapped.url:
            gone += every
        for name in gone:
            self._location.remove(self.folder, name)

    def _tables(self, names: Sequence[str]) -> Iterator[pa.Table]:
        return (self._parts.read(name) for name in names)

    def _schema(self, names: Sequence[str]) -> pa.Schema:
        """Return the columns that every part has, and those that any has."""
        found = {column for name in names for column in self._parts.schema(name).names}
        more = (SCHEMA_WITH_MASKS.field(MASKS), UNASKED_FIELD)
        return pa.schema([*SCHEMA, *(each for each in more if each.name in found)])
