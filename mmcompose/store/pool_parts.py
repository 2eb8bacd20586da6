"""PoolParts: boxes that belong to a pool, made part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmcompose.store.by_pool import ByPool, Learned
from mmcompose.store.columns import to_table
from mmcompose.store.image_table import ImageTable
from mmcompose.store.location import Location
from mmcompose.store.parts import PART_SIZE, Parts
from mmcompose.structures import Detections


class PoolParts(ByPool[Learned]):
    """A folder of a store with the boxes of a pool's images, a file for each part.

    Args:
        location: The store's.
        kind: Of what it is; see :class:`ByPool`.
        made_of: All that decides the boxes beside the pool, as plain values.
        images: The pool.
        part_size: How many images make a part. Defaults to 256.
    """

    def __init__(
        self,
        location: Location,
        kind: str,
        made_of: Mapping[str, Any],
        images: ImageTable,
        part_size: int = PART_SIZE,
    ) -> None:
        # They did not hold once which teachers were not asked.
        made_of = {**made_of, 'stored': 'with unasked'}
        super().__init__(location, kind, made_of, images, part_size)
        self._parts = Parts(location, self.folder, self.fingerprint)
        self._is_begun = False

    def stem(self, part: int) -> str:
        """Return the name of a part."""
        return f'part-{part:05d}'

    def write(
        self,
        part: int,
        detections: Sequence[Detections],
        unreadable: Sequence[str | None] | None = None,
        unasked: Sequence[tuple[int, ...]] = (),
    ) -> None:
        """Write the boxes of a part's images, in their order.

        Args:
            part: Which.
            detections: As in :func:`mmcompose.store.to_table`.
            unreadable: Likewise.
            unasked: Likewise.

        Raises:
            UserError: If they cannot be written.
        """
        rows = self.rows_of(part)
        images = self.images[rows.start : rows.stop]
        if not self._is_begun:
            self.write_manifest()
            self._is_begun = True
        self._parts.write(self.stem(part), to_table(images, detections, unreadable, unasked))
