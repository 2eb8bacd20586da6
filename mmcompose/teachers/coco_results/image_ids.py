"""Which image a row of results is of: by its id, or by its file name in the id's place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from mmcompose.structures.coco_ids import Entry, Ids
from mmcompose.structures.name_matching import names_agree
from mmcompose.utils import doubt, fault


class ImageIds:
    """The images of a json, found by what rows of results have.

    Ultralytics writes a file's name without suffix where COCO has a number.

    Args:
        path: Of the results, for messages.
        images: Each with a distinct ``id`` and ``file_name``.
    """

    def __init__(self, path: str, images: Iterable[Entry]) -> None:
        images = list(images)
        self._path = path
        self._ids = Ids(images)
        self._name_of = {each['id']: each['file_name'] for each in images}
        self._by_name = _by_name(self._name_of.values())
        # A doubt that is allowed is logged once.
        self._is_doubted = False

    def name_of(self, row: Mapping[str, Any], number: int) -> str:
        """Return the file name of a row's image.

        Args:
            row: With ``image_id``, and maybe ``file_name``.
            number: Of the row, for messages.

        Raises:
            ValueError: If its ``image_id`` is missing, or is no image's.
            UserError: If its id and its name are of two images.
        """
        if 'image_id' not in row:
            raise ValueError('no image_id')
        given = row['image_id']
        named = self._by_name.get(given) if isinstance(given, str) else None
        id_ = self._ids.find(given)
        if id_ is None:
            if named is None:
                raise ValueError(f'no image_id of the images json but {given!r}')
            return named
        name: str = self._name_of[id_]
        if named is not None and named != name and given not in self._name_of:
            expected = f'is the id of {name!r}, and the name of {named!r}'
            self._doubt(f'image_id {given!r} in entry {number} of {self._path!r} {expected}')
        own = row.get('file_name', name)
        if not isinstance(own, str) or not names_agree(own, name):
            expected = f'is of {own!r}, but image id {given!r} is {name!r}'
            expected += ': were the images numbered anew?'
            self._doubt(f'entry {number} of {self._path!r} {expected}')
        return name

    def _doubt(self, what: str) -> None:
        if not self._is_doubted:
            doubt('file-names', fault('results', what))
            self._is_doubted = True


def _by_name(names: Iterable[str]) -> dict[str, str]:
    """Return file names by themselves, and without folders and suffix, where that is one's."""
    found: dict[str, set[str]] = {}
    for name in names:
        path = PurePosixPath(name.replace('\\', '/'))
        for short in {name, path.name, path.stem, str(path.parent / path.stem)}:
            found.setdefault(short, set()).add(name)
    return {short: name for short, (name, *others) in found.items() if not others}
