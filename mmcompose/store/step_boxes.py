"""StepBoxes: what some steps of a label pipeline make of a pool, while its labels are made."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from mmcompose.store.columns import Rows
from mmcompose.store.contents import STEP_BOXES
from mmcompose.store.image_table import ImageTable
from mmcompose.store.location import Location
from mmcompose.store.parts import PART_SIZE
from mmcompose.store.pool_parts import PoolParts
from mmcompose.store.sealed import stem_of


class StepBoxes(PoolParts[None]):
    """Boxes before one step, of the labels of one pool; those who make these labels share them.

    Args:
        location: The store's.
        made_of: All that decides the labels beside the pool, and the step's number, as plain
            values.
        images: The pool.
        part_size: How many images make a part. Defaults to 256.
    """

    def __init__(
        self,
        location: Location,
        made_of: Mapping[str, Any],
        images: ImageTable,
        part_size: int = PART_SIZE,
    ) -> None:
        super().__init__(location, STEP_BOXES, made_of, images, part_size)

    def read(self, part: int) -> Rows | None:
        """Return the boxes of a part's images, None where they are not there, or no longer.

        Parts are listed once: whoever reads them begins when all that there will be are there.

        Raises:
            UserError: If the part is damaged.
        """
        name = self._names.get(self.stem(part))
        return None if name is None else self._parts.find(name)

    @cached_property
    def _names(self) -> dict[str, str]:
        return {stem_of(name): name for name in self._parts.names()}

    def remove(self) -> None:
        """Remove all parts; who reads them next finds that they are not there."""
        self._location.remove_folder(self.folder)
