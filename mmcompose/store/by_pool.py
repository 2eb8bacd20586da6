"""ByPool: what is kept by pool, made part by part, with what was learned from the pool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from mmcompose.store.image_table import ImageTable
from mmcompose.store.location import Location
from mmcompose.store.manifest import check_manifest, write_manifest
from mmcompose.store.parts import PART_SIZE
from mmcompose.store.picture_results import FORMAT
from mmcompose.store.sealed import find_sealed, read_sealed, write_sealed
from mmcompose.utils import fingerprint, plain

_STEM, _SUFFIX = 'learned', '.json'

Learned = TypeVar('Learned')


class ByPool(Generic[Learned]):
    """A folder of a store for what belongs to a pool and all that made it.

    Args:
        location: The store's.
        kind: Of what it is, the folder in which the store keeps it, e.g. 'labels'.
        made_of: All that decides it beside the pool, as plain values.
        images: The pool.
        part_size: How many images make a part. Defaults to 256.

    Raises:
        UserError: If the folder's manifest is of something else.
    """

    def __init__(
        self,
        location: Location,
        kind: str,
        made_of: Mapping[str, Any],
        images: ImageTable,
        part_size: int = PART_SIZE,
    ) -> None:
        self._location = location
        self.images = images
        self.part_size = part_size
        self._manifest = {
            'format': FORMAT,
            'kind': kind,
            'made_of': plain(made_of),
            'images': images.fingerprint,
            'num_images': len(images),
        }
        self.fingerprint = fingerprint(self._manifest)
        self.folder = f'{kind}/{self.fingerprint}'
        check_manifest(location, self.folder, self._manifest)

    @property
    def num_parts(self) -> int:
        """How many parts there are."""
        return -(-len(self.images) // self.part_size)

    def rows_of(self, part: int) -> range:
        """Return the rows of the pool that are in a part."""
        return range(len(self.images))[part * self.part_size : (part + 1) * self.part_size]

    def write_manifest(self) -> None:
        """Write the manifest where there is none.

        Raises:
            UserError: If it cannot be written.
        """
        write_manifest(self._location, self.folder, self._manifest)

    def write_learned(self, learned: Learned) -> None:
        """Write what was learned from the pool, as plain values.

        Raises:
            UserError: If it cannot be written.
        """
        self.write_manifest()
        content = json.dumps(plain(learned), indent=2, sort_keys=True, allow_nan=False).encode()
        write_sealed(self._location, self.folder, _STEM, content, _SUFFIX)

    def read_learned(self) -> Learned | None:
        """Read what :meth:`write_learned` wrote, None where nobody has.

        Raises:
            UserError: If it is damaged.
        """
        for name in find_sealed(self._location, self.folder, _STEM, _SUFFIX):
            learned: Learned = json.loads(read_sealed(self._location, self.folder, name))
            return learned
        return None
