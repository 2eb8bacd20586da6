"""LearnedResult: what one step of the label pipeline learned from a pool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mmcompose.store.image_table import ImageTable
from mmcompose.store.location import Location
from mmcompose.store.manifest import check_manifest, write_manifest
from mmcompose.store.picture_results import FORMAT
from mmcompose.store.sealed import read_sealed, write_sealed
from mmcompose.utils import fingerprint, plain

_STEM = 'learned'


class LearnedResult:
    """Plain values that belong to a pool, a step and all steps before it.

    Args:
        location: The store's.
        made_of: All that decides them beside the pool, as plain values.
        images: The pool.
    """

    def __init__(self, location: Location, made_of: Mapping[str, Any], images: ImageTable) -> None:
        self._location = location
        self._manifest = {
            'format': FORMAT,
            'kind': 'learned',
            'made_of': plain(made_of),
            'images': images.fingerprint,
            'num_images': len(images),
        }
        self._folder = f'learned/{fingerprint(self._manifest)}'

    def read(self) -> dict[str, Any] | None:
        """Return what was learned, None where nobody has written it.

        Raises:
            UserError: If it is damaged.
        """
        check_manifest(self._location, self._folder, self._manifest)
        for name in self._location.names(self._folder):
            if name.startswith(f'{_STEM}-') and name.endswith('.json'):
                learned: dict[str, Any] = json.loads(
                    read_sealed(self._location, self._folder, name)
                )
                return learned
        return None

    def write(self, learned: Mapping[str, Any]) -> None:
        """Write what was learned.

        Raises:
            UserError: If it cannot be written.
        """
        write_manifest(self._location, self._folder, self._manifest)
        content = json.dumps(plain(learned), indent=2, sort_keys=True, allow_nan=False).encode()
        write_sealed(self._location, self._folder, _STEM, content, '.json')
