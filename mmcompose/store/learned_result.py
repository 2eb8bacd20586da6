"""LearnedResult: what one step of the label pipeline learned from a pool, and from what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmcompose.labeling.compute.state import State, state_from_bytes, state_to_bytes
from mmcompose.store.by_pool import ByPool
from mmcompose.store.image_table import ImageTable
from mmcompose.store.location import Location
from mmcompose.store.manifest import write_manifest
from mmcompose.store.parts import PART_SIZE
from mmcompose.store.sealed import find_sealed, read_sealed, write_sealed
from mmcompose.utils import fingerprint, plain

_STATE, _SUFFIX = 'state', '.npz'


class LearnedResult(ByPool[Mapping[str, Any]]):
    """Plain values that belong to a pool, a step and all steps before it.

    Before they are learned, the step collects a state of each part of the pool; a step of several
    rounds does so in each. Any number of processes makes them.

    Args:
        location: The store's.
        made_of: All that decides them beside the pool, as plain values.
        images: The pool.
        part_size: How many images make a part. Defaults to 256.
        collected_of: All that decides the states beside the pool, where that is less. They are
            then kept: with other arguments the step learns anew from what was collected. Defaults
            to ``made_of``.
    """

    def __init__(
        self,
        location: Location,
        made_of: Mapping[str, Any],
        images: ImageTable,
        part_size: int = PART_SIZE,
        collected_of: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(location, 'learned', made_of, images, part_size)
        self._collected, self._state_folder = self._manifest, self.folder
        if collected_of is not None:
            self._collected = {
                **self._manifest, 'kind': 'collected', 'made_of': plain(collected_of)
            }  # fmt: skip
            self._state_folder = f'collected/{fingerprint(self._collected)}'

    @property
    def num_parts(self) -> int:
        """How many parts there are: of no images there is something to learn, too."""
        return max(super().num_parts, 1)

    def unfinished(self, turn: int) -> list[int]:
        """Return the parts of which there is no state yet in a round, while it is of use.

        Args:
            turn: The round, from 0.
        """
        if self.read_learned() is not None:
            return []
        there = self._states(turn)
        return [part for part in range(self.num_parts) if part not in there]

    def write_state(self, turn: int, part: int, state: State) -> None:
        """Write what was collected of a part.

        Raises:
            UserError: If it cannot be written.
        """
        stem = f'{_STATE}-{turn}-{part:05d}'
        write_manifest(self._location, self._state_folder, self._collected)
        write_sealed(self._location, self._state_folder, stem, state_to_bytes(state), _SUFFIX)

    def read_states(self, turn: int) -> Iterator[State]:
        """Yield what was collected of each part in a round, in the order of the images.

        Raises:
            UserError: If one is damaged.
        """
        for _, name in sorted(self._states(turn).items()):
            yield state_from_bytes(read_sealed(self._location, self._state_folder, name))

    def forget_states(self, turn: int) -> None:
        """Remove the states of a round, unless they serve other arguments of the step, too."""
        if self._state_folder == self.folder:
            for name in self._states(turn).values():
                self._location.remove(self.folder, name)

    def _states(self, turn: int) -> dict[int, str]:
        stem = f'{_STATE}-{turn}'
        found = find_sealed(self._location, self._state_folder, stem, _SUFFIX)
        return {int(name.removeprefix(f'{stem}-').split('-')[0]): name for name in found}
