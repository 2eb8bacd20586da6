"""PictureResults: what one maker, such as a teacher, made of each picture that it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmcompose.store.columns import to_table
from mmcompose.store.image_table import ImageTable
from mmcompose.store.location import Location
from mmcompose.store.manifest import check_manifest, write_manifest
from mmcompose.store.parts import Parts
from mmcompose.store.picture_index import PictureIndex
from mmcompose.structures import Detections, Image
from mmcompose.utils import Selection, fingerprint, plain

FORMAT = 3


class PictureResults:
    """Results that belong to a maker and a picture, never to a list of pictures.

    Args:
        location: The store's.
        kind: Of what they are, the folder in which the store keeps them, e.g. 'predictions'.
        made_of: All that decides them beside the picture, as plain values.
    """

    def __init__(self, location: Location, kind: str, made_of: Mapping[str, Any]) -> None:
        self._location = location
        self._manifest = {'format': FORMAT, 'kind': kind, 'made_of': plain(made_of)}
        self.fingerprint = fingerprint(self._manifest)
        self.folder = f'{kind}/{self.fingerprint}'
        self.parts = Parts(location, self.folder, self.fingerprint)
        self.index = PictureIndex(location, self.folder, self.parts)
        check_manifest(location, self.folder, self._manifest)

    def locate(self, images: ImageTable) -> NDArray[np.int64]:
        """Return where each image's result is; see :meth:`PictureIndex.locate`."""
        self.index.refresh()
        return self.index.locate(images)

    def missing(self, images: ImageTable) -> NDArray[np.bool_]:
        """Return ``(N,)`` bool: of which images there is no result."""
        missing: NDArray[np.bool_] = self.locate(images) < 0
        return missing

    def unreadable(self, images: ImageTable) -> NDArray[np.bool_]:
        """Return ``(N,)`` bool: of which images there is a result, that they cannot be read."""
        found = self.locate(images)
        failed = self.index.table.column('is_unreadable').to_numpy()
        if not failed.any():
            return np.zeros(len(images), np.bool_)
        unreadable: NDArray[np.bool_] = (found >= 0) & failed[found]
        return unreadable

    def write(
        self,
        stem: str,
        images: Sequence[Image],
        detections: Sequence[Detections],
        unreadable: Sequence[str | None] | None = None,
    ) -> None:
        """Write the detections of some images as one part.

        Args:
            stem: The part's name, without what the store adds to it.
            images: The images.
            detections: Of each, in their order.
            unreadable: Why each cannot be read, None where it can. Defaults to None for all.

        Raises:
            UserError: If it cannot be written.
        """
        self.write_table(stem, to_table(images, detections, unreadable))

    def write_table(self, stem: str, table: pa.Table) -> None:
        """Write a part of any columns after those of :data:`mmcompose.store.PICTURE_FIELDS`."""
        write_manifest(self._location, self.folder, self._manifest)
        self.parts.write(stem, table)

    def write_manifest(self) -> None:
        """Write the manifest where there are results without one.

        Raises:
            UserError: If it cannot be written.
        """
        if self.parts.names():
            write_manifest(self._location, self.folder, self._manifest)

    def of(self, images: ImageTable) -> PoolResults:
        """Return the results of a pool, all of which must be there."""
        return PoolResults(self, images)


class PoolResults(Sequence[Detections]):
    """What one maker made of each image of a pool, read part by part as rows are looked at.

    Args:
        results: Where it is.
        images: The pool.
    """

    def __init__(self, results: PictureResults, images: ImageTable) -> None:
        found = results.locate(images)
        assert (found >= 0).all(), f'{results.folder} lacks some of {len(images)} images'
        table = results.index.table.select(['part', 'row', 'is_unreadable'])
        table = table.take(pa.array(found, pa.int64()))
        self._images = images
        self._parts = results.parts
        self._names = list(results.index.names)
        self._part: NDArray[np.int32] = table.column('part').to_numpy()
        self._row: NDArray[np.int32] = table.column('row').to_numpy()
        self._unreadable = np.flatnonzero(table.column('is_unreadable').to_numpy())

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, row: Any) -> Any:
        """Return the detections of the image at ``row``, or of a slice of rows those of each."""
        if isinstance(row, slice):
            return Selection(self, range(len(self))[row])
        row = range(len(self))[row]
        return self._parts.rows(self._names[self._part[row]]).detections(self._row[row])

    def count_labels(self, num_classes: int) -> NDArray[np.int64]:
        """Return ``(C,)``, how many boxes of each of the maker's classes all images have."""
        counts = np.zeros(num_classes, np.int64)
        for part in np.unique(self._part).tolist():
            labels = self._parts.column(self._names[part], 'labels')
            own = labels.take(pa.array(np.unique(self._row[self._part == part])))
            counts += np.bincount(own.flatten().to_numpy(), minlength=num_classes)
        return counts

    def unreadable(self) -> dict[int, str]:
        """Return why images could not be read, by row."""
        return {
            row: self._parts.rows(self._names[self._part[row]]).unreadable(self._row[row]) or ''
            for row in self._unreadable.tolist()
        }

    @property
    def keys(self) -> list[str]:
        """The images' keys, in order."""
        keys: list[str] = self._images.keys.to_pylist()
        return keys
