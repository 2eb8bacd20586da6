"""COCOResultsTeacher: predictions that anyone has already made, replayed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from mmengine.fileio import load

from mmcompose.registry import TEACHERS
from mmcompose.structures import Detections, Image, as_masks, mask_box
from mmcompose.teachers.arguments import named_classes
from mmcompose.teachers.base import Teacher, checked
from mmcompose.teachers.file_names import index, match
from mmcompose.utils import UserError, nearest, problem, warn


@TEACHERS.register_module()
class COCOResultsTeacher(Teacher):
    """Predictions in COCO's results format, or in a folder of YOLO text files.

    Pictures are matched by file name, never by id or place: the longest common tail of the
    path decides, so ``train/1.jpg`` and ``val/1.jpg`` are told apart where both are listed.

    Args:
        results: A results json, ``[{image_id, category_id, bbox: [x, y, w, h], score}]``, where
            ``segmentation`` (RLE or polygons) may stand beside ``bbox``, or in its place; or a
            folder of text files named as the pictures, each line ``class cx cy w h score``
            relative to the picture's size. A picture without a text file has no boxes.
        images: A json with the ``images`` and ``categories`` that a results json speaks of.
            Needed for a results json, and only for it.
        classes: Class names in the order of YOLO's class numbers, or a data set's name that
            MMDet knows. Of a results json: in which order; defaults to that of its categories.
    """

    def __init__(
        self,
        results: str,
        images: str | None = None,
        classes: str | Sequence[str] | None = None,
    ) -> None:
        path = Path(results)
        if not path.exists():
            near = path.parent.iterdir() if path.parent.is_dir() else ()
            raise UserError(problem('results', results, 'is no file or folder', map(str, near)))
        self._path = path
        self._images: dict[str, Any] = {}
        if path.is_dir():
            if images is not None:
                raise UserError('images: goes with a results json; a folder needs none')
            if classes is None:
                raise UserError('classes: is missing; text files know class numbers alone')
            if not any(path.rglob('*.txt')):
                raise UserError(problem('results', results, 'holds no text file'))
            self.classes = named_classes(classes)
            return
        if images is None:
            raise UserError('images: is missing; name the json with the images and categories')
        self._images = _read_images(images)
        names = [category['name'] for category in self._images['categories']]
        self.classes = named_classes(names if classes is None else classes)
        if unknown := [name for name in names if name not in self.classes]:
            raise UserError(
                problem(
                    'classes',
                    unknown[0],
                    'is missing from them, but a category of the images json',
                    self.classes,
                )
            )

    @property
    def may_give_masks(self) -> bool:
        """See :attr:`Teacher.may_give_masks`: a results json is read when it is asked."""
        return not self._path.is_dir()

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        """See :meth:`Teacher.predict`.

        Raises:
            UserError: If a picture is not listed, or by more than one entry.
        """
        found = map(self._text if self._path.is_dir() else self._json, images)
        return [checked(one, image, self.classes) for one, image in zip(found, images, strict=True)]

    def _json(self, image: Image) -> Detections:
        name = match(image, self._index)
        if name is None:
            near = nearest(PurePosixPath(image.key).name, self._index)
            hint = f'; did you mean {near!r}?' if near else ''
            raise UserError(f'images: none is named {image.key!r}{hint}')
        rows = self._by_name.get(name)
        if rows is None:
            return Detections()
        boxes, scores, labels, segmentations = zip(*rows, strict=True)
        if all(each is None for each in segmentations):
            return Detections.from_arrays(boxes, scores, labels)
        try:
            masks = as_masks(segmentations, image.width, image.height)
        except ValueError as error:
            raise UserError(f'results: of {name!r}, a segmentation is no mask: {error}') from error
        size = (image.width, image.height)
        pairs = zip(boxes, masks, strict=True)
        boxes = tuple(mask_box(mask, *size) if box is None else box for box, mask in pairs)
        return Detections.from_arrays(boxes, scores, labels, masks)

    @cached_property
    def _index(self) -> dict[str, list[str]]:
        return index([entry['file_name'] for entry in self._images['images']])

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[Any, ...]]]:
        names = {entry['id']: entry['file_name'] for entry in self._images['images']}
        # Category ids are neither label indices nor in their order.
        labels = {
            category['id']: self.classes.index(category['name'])
            for category in self._images['categories']
        }
        rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for number, row in enumerate(_read_results(self._path)):
            try:
                segmentation = row.get('segmentation') or None
                box = None
                if segmentation is None or 'bbox' in row:
                    x, y, width, height = map(float, row['bbox'])
                    box = (x, y, x + width, y + height)
                name, label = names[row['image_id']], labels[row['category_id']]
                rows[name].append((box, float(row['score']), label, segmentation))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise UserError(
                    f'results: entry {number} of {str(self._path)!r} is none of these images, '
                    f'categories and keys ({error!r})'
                ) from error
        return rows

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        files = self._path.rglob('*.txt')
        return index([file.relative_to(self._path).with_suffix('').as_posix() for file in files])

    def _text(self, image: Image) -> Detections:
        stem = PurePosixPath(image.key).with_suffix('').as_posix()
        name = match(Image(stem, image.path, 0, 0), self._texts)
        if name is None:
            return Detections()
        path = self._path / f'{name}.txt'
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
        try:
            rows = np.array(lines, np.float64).reshape(len(lines), 6)
            if (rows[:, 0] % 1).any():
                raise ValueError('a class number is not whole')
        except ValueError as error:
            expected = 'has a line that is not "class cx cy w h score"'
            raise UserError(problem('results', str(path), expected)) from error
        size = np.array([image.width, image.height])
        center, half = rows[:, 1:3] * size, rows[:, 3:5] * size / 2
        boxes = np.concatenate([center - half, center + half], axis=1)
        return Detections.from_arrays(boxes, rows[:, 5], rows[:, 0])


def _read_images(path: str) -> dict[str, Any]:
    content = _load('images', path)
    if not isinstance(content, dict) or not {'images', 'categories'} <= set(content):
        raise UserError(problem('images', path, 'has no images and categories'))
    for part, key in (('images', 'file_name'), ('categories', 'name')):
        for number, entry in enumerate(content[part]):
            if not isinstance(entry, dict) or not {'id', key} <= set(entry):
                raise UserError(problem('images', path, f'has no id and {key} in {part}[{number}]'))
    return content


def _read_results(path: Path) -> Iterator[Any]:
    content = _load('results', str(path))
    if not isinstance(content, list):
        raise UserError(problem('results', str(path), 'is no list of results'))
    if not content:
        warn(f'{path} holds no result')
    yield from content


def _load(key: str, path: str) -> Any:
    try:
        return load(path)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(problem(key, path, f'cannot be read as json ({error})')) from error
