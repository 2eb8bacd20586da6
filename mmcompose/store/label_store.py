"""LabelStore: where predictions and labels are kept, and under which names."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmcompose.store.contents import STEP_BOXES, WORK
from mmcompose.store.detection_table import DetectionTable
from mmcompose.store.image_table import ImageTable
from mmcompose.store.label_result import LabelResult
from mmcompose.store.learned_result import LearnedResult
from mmcompose.store.leases import Leases
from mmcompose.store.location import KEY, Location
from mmcompose.store.mapped_files import cache_folder, find_mapped
from mmcompose.store.parts import PART_SIZE
from mmcompose.store.picture_results import FORMAT, PictureResults
from mmcompose.store.pool_index import PoolIndex
from mmcompose.store.step_boxes import StepBoxes
from mmcompose.store.work_list import WorkList
from mmcompose.structures import Image
from mmcompose.utils import UserError, fingerprint, no_folder, problem

_MARK = 'store.json'
# What only a store that was begun has.
_FOLDERS = {'predictions', 'labels', 'features', WORK, STEP_BOXES}


class LabelStore:
    """Predictions by teacher and picture, labels by pool, in one folder on any file system.

    Nothing else in mmcompose makes a path in it.

    Args:
        location: A local path, in which ``~`` is expanded, or any URL that fsspec reads.

    Attributes:
        part_size: How many pictures make a part of what is written.

    Raises:
        UserError: If the location is empty, a file, or of a protocol that cannot be read.
    """

    part_size: int = PART_SIZE

    def __init__(self, location: str | Path) -> None:
        self.location = Location(location)
        # Which of all stores that ever were at this location, where that matters; None before it
        # is begun.
        self._id: str | None = None
        self._is_checked = False

    def __repr__(self) -> str:
        return f'LabelStore({self.location.url!r})'

    def __str__(self) -> str:
        return self.location.url

    def check(self) -> None:
        """Check that what is in it is of this version's format; it may be empty.

        Raises:
            UserError: If not, or if it cannot be read.
        """
        if self._is_checked:
            return
        expected = None
        try:
            self._id = _id_in(self.location.read(_MARK))
            if self._id is None:
                expected = (
                    'was written by another version of mmcompose, in a format that this one does '
                    'not read; delete it or name another store, and make it anew by '
                    '`mmcompose label CONFIG`'
                )
        except FileNotFoundError:
            names = set(self.location.names())
            if _MARK in names:
                # Another process has begun it meanwhile.
                self.check()
                return
            # Data sets have a folder `labels`, too: nothing of it may be written over or tidied up.
            if foreign := sorted(_FOLDERS & names):
                expected = (
                    f'has {", ".join(foreign)} and no {_MARK}: it is no label store of this '
                    'version; name another folder, and make one by `mmcompose label CONFIG`'
                )
        if expected is not None:
            raise UserError(problem(KEY, self.location.url, expected))
        self._is_checked = True

    def check_made(self) -> None:
        """Check that there is a store, which :meth:`begin` made, of this version's format.

        Raises:
            UserError: If not, or if it cannot be read.
        """
        self.check()
        if _MARK not in self.location.names():
            where = self.location.local()
            if where is not None and not where.exists():
                raise UserError(no_folder('store', where))
            raise UserError(problem('store', self.location.url, 'holds no label store'))

    def check_shared(self) -> None:
        """Check that other processes see it.

        Raises:
            UserError: If it is in the memory of this one.
        """
        if not self.location.is_shared:
            expected = 'is in the memory of one process; name a folder or URL that all of them see'
            raise UserError(problem(KEY, self.location.url, expected))

    def begin(self) -> None:
        """Make the store where there is none.

        Raises:
            UserError: If it cannot be written to.
        """
        self.check()
        self.location.check_writable()
        if self._id is None:
            # What is mapped of one that is elsewhere is kept here, when that one may be gone.
            own = {} if self.location.is_local else {'id': uuid.uuid4().hex}
            mark = json.dumps({'format': FORMAT, **own}).encode() + b'\n'
            self.location.create(mark, _MARK)
            # Another process may have been faster.
            self._id = _id_in(self.location.read(_MARK))

    @property
    def _mapped(self) -> Location:
        """Where files that are mapped are: in the store, or on this machine and of this store."""
        if self.location.is_local:
            return self.location
        self.check()
        return Location(cache_folder() / fingerprint([self.location.url, self._id]))

    def results(self, kind: str, made_of: Mapping[str, Any]) -> PictureResults:
        """Return where the results of one maker are kept; see :class:`PictureResults`."""
        self.check()
        return PictureResults(self.location, kind, made_of)

    def predictions(self, teacher: str) -> PictureResults:
        """Return where the predictions of a teacher are kept.

        Args:
            teacher: Its identity.
        """
        return self.results('predictions', {'teacher': teacher})

    def features(self, identity: str) -> PictureResults:
        """Return where it is kept what places of pictures look like.

        Args:
            identity: Of what looks at them.
        """
        # They were a list of numbers once.
        return self.results('features', {'features': identity, 'stored': 'as bytes'})

    def work_list(
        self,
        images: Sequence[Image],
        results: Mapping[str, PictureResults],
        again: Sequence[int] = (),
    ) -> WorkList:
        """Return what some makers have yet to make of a pool; see :class:`WorkList`."""
        return WorkList(self.location, ImageTable.of(images), results, self.part_size, again)

    def labels(self, made_of: Mapping[str, Any], images: Sequence[Image]) -> LabelResult:
        """Return where the labels of a pool are kept; see :class:`LabelResult`."""
        self.check()
        pool = ImageTable.of(images)
        return LabelResult(self.location, self._mapped, made_of, pool, self.part_size)

    def learned(
        self,
        made_of: Mapping[str, Any],
        images: Sequence[Image],
        collected_of: Mapping[str, Any] | None = None,
    ) -> LearnedResult:
        """Return where what a step learned from a pool is kept; see :class:`LearnedResult`."""
        self.check()
        pool = ImageTable.of(images)
        return LearnedResult(self.location, made_of, pool, self.part_size, collected_of)

    def step_boxes(self, made_of: Mapping[str, Any], images: Sequence[Image]) -> StepBoxes:
        """Return where boxes before a step are kept for a while; see :class:`StepBoxes`."""
        self.check()
        return StepBoxes(self.location, made_of, ImageTable.of(images), self.part_size)

    def pool_index(self, source: Mapping[str, Any]) -> PoolIndex:
        """Return where it is kept what was found of a pool's pictures; see :class:`PoolIndex`."""
        self.check()
        return PoolIndex(self.location, source)

    def find_labels(self, address: str) -> DetectionTable | None:
        """Map labels by their fingerprint, None unless they are there, joined into one file."""
        path = find_mapped(self._mapped, f'labels/{address}', address, verify=False)
        return None if path is None else DetectionTable(path)

    def open_labels(self, address: str) -> DetectionTable:
        """Map labels that are there by their fingerprint.

        Raises:
            UserError: If they are not, or no longer.
        """
        table = self.find_labels(address)
        if table is None:
            where = self.location.path('labels', address)
            raise UserError(problem(KEY, where, 'was deleted while it was in use'))
        return table

    def leases(self, folder: str) -> Leases:
        """Return claims on the parts of a folder; see :class:`Leases`."""
        return Leases(self.location, folder)


def _id_in(mark: bytes) -> str | None:
    """Return what tells a store from others, None where it is of another format."""
    try:
        found = json.loads(mark)
    except ValueError:
        return None
    is_read = isinstance(found, dict) and found.get('format') == FORMAT
    return str(found.get('id', '')) if is_read else None
