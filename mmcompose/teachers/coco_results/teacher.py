"""COCOResultsTeacher: predictions that anyone has already made, replayed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from mmcompose.class_space import GivenNames
from mmcompose.registry import TEACHERS
from mmcompose.structures import Detections, Image, check_listed_size
from mmcompose.structures.name_matching import Matching, match_names, nearest_name
from mmcompose.teachers.base import Teacher
from mmcompose.teachers.coco_results.results_json import ResultsJson
from mmcompose.teachers.coco_results.yolo_texts import YoloTexts
from mmcompose.utils import Name, UserError, examples, fault, log, no_file, problem, warn


@TEACHERS.register_module()
class COCOResultsTeacher(Teacher):
    """Predictions in COCO's results format, or in a folder of YOLO text files.

    Pictures are matched by file name, never by id or place: one to one over the pool, where a
    listed path and the picture's are the same, or one is the end of the other.

    Args:
        results: A results json, ``[{image_id, category_id, bbox: [x, y, w, h], score}]``, where
            ``segmentation`` (RLE or polygons) may stand beside ``bbox``, or in its place; or a
            folder of text files named as the pictures, each line ``class cx cy w h score``
            relative to the picture's size.
        images: A json with the ``images`` and ``categories`` that a results json refers to.
            Needed for a results json, and only for it.
        classes: Class names in the order of YOLO's class numbers, or a data set's name that
            MMDet knows. Of a results json: in which order; defaults to that of its categories.
        on_unmatched: What a picture means that is not listed: 'error'; 'warn': the teacher did not
            predict on it and does not vote there, and classes that no teacher looked for there are
            left out of its loss; or 'no_boxes': it found nothing there. Defaults to 'error' for
            a results json, and to 'no_boxes' for text files, of which many tools write none for an
            empty picture.
        rescale: Scale the boxes where the images json lists another size than the picture's.
            Defaults to False: it is an error.
    """

    def __init__(
        self,
        results: str,
        images: str | None = None,
        classes: Name | GivenNames | None = None,
        on_unmatched: Literal['error', 'warn', 'no_boxes'] | None = None,
        rescale: bool = False,
    ) -> None:
        path = Path(results)
        if not path.exists():
            raise UserError(no_file('results', results, kind='file or folder'))
        self._source: ResultsJson | YoloTexts
        if path.is_dir():
            if images is not None:
                raise UserError(fault('images', 'goes with a results json; a folder needs none'))
            self._source = YoloTexts(results, classes)
        elif images is None:
            raise UserError(
                fault('images', 'is missing; name the json with the images and categories')
            )
        else:
            self._source = ResultsJson(results, images, classes, rescale)
        self.classes = self._source.classes
        self._on_unmatched = on_unmatched or ('no_boxes' if path.is_dir() else 'error')
        self._matched: dict[str, str | None] = {}
        self._key_of: dict[str, str] = {}

    @property
    def identity(self) -> Any:
        """See :attr:`Teacher.identity`: which of its forms replayed predictions have."""
        return {'revision': 4}

    @property
    def may_give_masks(self) -> bool:
        """See :attr:`Teacher.may_give_masks`: a results json is read when it predicts."""
        return isinstance(self._source, ResultsJson)

    @property
    def looks_at_pixels(self) -> bool:
        """See :attr:`Teacher.looks_at_pixels`: they were predicted elsewhere."""
        return False

    def check_pool(self, images: Sequence[Image]) -> None:
        """See :meth:`Teacher.check_pool`: match the whole pool, and report what is left over.

        Raises:
            UserError: If an entry may be of two pictures or a picture's of two; if no entry, or no
                result, is of any picture; if a picture has none, where that is an error.
        """
        matching = self._match(images)
        without, spare = matching.without_entry, matching.without_picture
        if without and not matching.entry_of:
            raise UserError(
                fault(
                    'results',
                    f'none of {len(spare)} {self._source.what} ({_examples(spare)}) belongs '
                    f'to any of {len(images)} pictures ({_examples(without)})',
                )
            )
        if without and self._on_unmatched == 'error':
            raise self._not_listed(without, len(images))
        spared = f'{len(spare)} {self._source.what} belong to no picture ({_examples(spare)})'
        if without and self._on_unmatched == 'warn':
            warn(f'{self._counted(without, images)} are not listed, and not voted on')
        elif without and spare:
            warn(f'{self._counted(without, images)} are not listed, but {spared}')
        elif without:
            log(f'{self._counted(without, images)} have no text file: no boxes there')
        elif spare:
            log(spared)
        self._source.check_used(matching.entry_of.values())

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        """See :meth:`Teacher.predict`.

        Raises:
            UserError: If a picture is not listed and that is an error, or by more than one entry.
        """
        if new := [image for image in images if image.key not in self._matched]:
            self._match(new)
        return [self._predict(image) for image in images]

    def _predict(self, image: Image) -> Detections:
        entry = self._matched[image.key]
        if entry is not None:
            # Nothing decodes the picture here, which would show that it is listed wrongly.
            check_listed_size(image)
            return self._source.read(entry, image)
        if self._on_unmatched == 'error':
            raise self._not_listed((image.key,), 1)
        return Detections(asked=self._on_unmatched == 'no_boxes')

    def _match(self, images: Sequence[Image]) -> Matching:
        keys = [image.key for image in images]
        matching = match_names(self._source.entries, keys, self._source.by_stem)
        for key, entry in matching.entry_of.items():
            before = self._key_of.setdefault(entry, key)
            if before != key:
                raise UserError(
                    problem('images', entry, f'may be {before!r} or {key!r} of the pool')
                )
        self._matched |= dict.fromkeys(keys) | matching.entry_of
        return matching

    def _not_listed(self, keys: Sequence[str], count: int) -> UserError:
        hint = nearest_name(keys[0], self._source.entries)
        more = f' ({len(keys)} of {count} pictures are not listed)' if len(keys) > 1 else ''
        return UserError(fault('images', f'none is named {keys[0]!r}{more}{hint}'))

    def _counted(self, keys: Sequence[str], images: Sequence[Image]) -> str:
        return f'{len(keys)} of {len(images)} pictures ({_examples(keys)})'


def _examples(names: Sequence[str]) -> str:
    return examples([repr(each) for each in names])
