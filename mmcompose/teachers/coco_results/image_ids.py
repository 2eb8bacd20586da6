"""Which image a row of results is of: by its id, or by its file name in the id's place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from mmcompose.structures.coco_ids import Entry, Ids
from mmcompose.structures.name_matching import names_agree
from mmcompose.utils import doubt, fault


class ImageIds:
    """The images of a json, found by what rows of results have.

    Ultralytics writes a file's name without folder and suffix where COCO has a number.

    Args:
        path: Of the results, for messages.
        images: Each with a distinct ``id`` and ``file_name``.
    """

    def __init__(self, path: str, images: Iterable[Entry]) -> None:
        images = list(images)
        self._path = path
        self._ids = Ids(images)
        self._name_of = {each['id']: each['file_name'] for each in images}
        self._by_form = _by_form(self._name_of.values())
        # A doubt that is allowed is logged once.
        self._is_doubted = False

    def name_of(self, row: Mapping[str, Any], number: int) -> str:
        """Return the file name of a row's image.

        Args:
            row: With ``image_id``, and maybe ``file_name``.
            number: Of the row, for messages.

        Raises:
            ValueError: If its ``image_id`` is missing, is no image's, or may be of two.
            UserError: If its id and its name are of two images, or it names two as Ultralytics
                would; unless that is allowed, and then the same path counts.
        """
        if 'image_id' not in row:
            raise ValueError('no image_id')
        given = row['image_id']
        named = self._named(given) if isinstance(given, str) else []
        id_ = self._ids.find(given)
        if id_ is None:
            return self._only(named, given)
        name: str = self._name_of[id_]
        if len(named) == 1 and named != [name] and given not in self._name_of:
            expected = f'is the id of {name!r}, and the name of {named[0]!r}'
            self._doubt(f'image_id {given!r} in entry {number} of {self._path!r} {expected}')
        own = row.get('file_name', name)
        if not isinstance(own, str) or not names_agree(own, name):
            expected = f'is of {own!r}, but image id {given!r} is {name!r}'
            expected += ': were the images numbered anew?'
            self._doubt(f'entry {number} of {self._path!r} {expected}')
        return name

    def _named(self, given: str) -> Sequence[str]:
        """Return the file names that are given most exactly."""
        return next((names[given] for names in self._by_form if given in names), ())

    def _only(self, named: Sequence[str], given: Any) -> str:
        """Return the one name that is given in an id's place."""
        if not named:
            raise ValueError(f'no image_id of the images json but {given!r}')
        name, *others = named
        if others:
            raise ValueError(f'image_id {given!r}, which may be {name!r} or {others[0]!r},')
        ends = [each for each in self._by_form[-1].get(given, ()) if each != name]
        # Ultralytics writes one name for all of them.
        if given != name and ends:
            self._doubt(f'image_id {given!r} in {self._path!r} may be {name!r} or {ends[0]!r}')
        return name

    def _doubt(self, what: str) -> None:
        if not self._is_doubted:
            doubt('file-names', fault('results', what))
            self._is_doubted = True


def _by_form(names: Iterable[str]) -> list[dict[str, list[str]]]:
    """Return file names by what may stand for them.

    The same path goes before one without suffix, and that before a name without folders.
    """
    found: list[dict[str, list[str]]] = [defaultdict(list) for _ in range(3)]
    for name in names:
        path = PurePosixPath(name.replace('\\', '/'))
        forms = ({name, str(path)}, {str(path.parent / path.stem)}, {path.name, path.stem})
        for by_form, given in zip(found, forms, strict=True):
            for each in given:
                by_form[each].append(name)
    return found
