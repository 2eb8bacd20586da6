"""A json in COCO's results format, and the json with its images and categories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from mmcompose.class_space import GivenNames
from mmcompose.structures import (
    Detections,
    Image,
    Masks,
    as_masks,
    decode_masks,
    encode_masks,
    mask_box,
)
from mmcompose.structures.box_forms import XYWH, other_form
from mmcompose.structures.coco import CocoFile, parse_coco, roots
from mmcompose.structures.coco_ids import Ids
from mmcompose.structures.finite import finite_number
from mmcompose.structures.json_files import read_json
from mmcompose.structures.repeats import is_repeated
from mmcompose.teachers.coco_results.image_ids import ImageIds
from mmcompose.teachers.named_classes import named_classes
from mmcompose.utils import UserError, doubt, examples, fault, log, problem, warn

# From how many boxes on scores that are all 1 are reported.
_MANY = 20


class ResultsJson:
    """Results by the file name of their image.

    Args:
        results: Path of the results json.
        images: Path of the json with ``images`` and ``categories``.
        classes: See :class:`mmcompose.COCOResultsTeacher`.
        rescale: Likewise.
    """

    by_stem = False
    what = 'entries of the images json'

    def __init__(
        self, results: str, images: str, classes: str | GivenNames | None, rescale: bool
    ) -> None:
        self._path = results
        self._rescale = rescale
        self._stretched_told = False
        self._coco: CocoFile = parse_coco(read_json('images', images), 'images', images, False)
        if not self._coco.categories:
            raise UserError(problem('images', images, 'has no categories'))
        names = self._category_names(classes)
        self.classes = named_classes(names if classes is None else classes)
        if unknown := [name for name in names if name not in self.classes]:
            expected = 'is missing from them, but a category of the images json'
            raise UserError(problem('classes', unknown[0], expected, self.classes))

    def _category_names(self, classes: str | GivenNames | None) -> list[str]:
        """Return the categories' names, without those that only group others."""
        names = [category['name'] for category in self._coco.categories]
        if classes is not None or not roots(self._coco.categories, set()):
            return names
        categories = Ids(self._coco.categories)
        used = {categories.find(row.get('category_id')) for row in self._rows}
        unused = roots(self._coco.categories, used)
        for name in unused:
            log(f'category {name!r} only groups others and has no result: it is no class')
        return [name for name in names if name not in unused]

    @property
    def entries(self) -> list[str]:
        """The images' file names."""
        return list(self._images)

    @cached_property
    def _images(self) -> dict[str, dict[str, Any]]:
        return {entry['file_name']: entry for entry in self._coco.images}

    def check_used(self, entries: Iterable[str]) -> None:
        """Look whether results are of the pool at all.

        Args:
            entries: Those that belong to pictures of the pool.

        Raises:
            UserError: If there are results, and none is of these.
        """
        pool, found = set(entries), set(self._by_name)
        if found and not found & pool:
            expected = (
                f'is of {len(found)} pictures ({examples(list(self._by_name), 3)}), of which none '
                'is in the pool'
            )
            raise UserError(problem('results', self._path, expected))
        if found - pool:
            log(f'{self._path}: {len(found - pool)} pictures with results are not in the pool')
        if pool - found:
            log(f'{self._path}: {len(pool - found)} of {len(pool)} pictures have no result')

    def read(self, entry: str, image: Image) -> Detections:
        """Return the results of an entry, in pixels of the image.

        Raises:
            UserError: If its size is another than the image's, and is not to be scaled.
        """
        rows = self._by_name.get(entry)
        factor = self._factor(self._images[entry], image)
        if not rows:
            return Detections()
        given, scores, labels, segmentations = zip(*rows, strict=True)
        masks, boxes = None, given
        if any(each is not None for each in segmentations):
            masks = self._masks(segmentations, entry, image)
            size = (image.width, image.height)
            boxes = tuple(
                np.array(mask_box(mask, *size)) / factor if box is None else box
                for box, mask in zip(given, masks, strict=True)
            )
        found = Detections.from_arrays(boxes, scores, labels, masks)
        return replace(found, boxes=(found.boxes * factor).astype(np.float32))

    def _factor(self, entry: Mapping[str, Any], image: Image) -> Any:
        """Return what to multiply ``(N, 4)`` boxes by."""
        width, height = entry.get('width'), entry.get('height')
        listed, size = (width, height), (image.width, image.height)
        if width is None or height is None or listed == size:
            return np.ones(4)
        both = f'{listed[0]}x{listed[1]}, but the picture is {size[0]}x{size[1]} pixels'
        expected = f'is listed as {both}'
        if listed == size[::-1]:
            expected += ': was it turned by its EXIF orientation?'
        elif not self._rescale:
            expected += '; rescale=True scales the boxes'
        else:
            aspect = size[0] / size[1]
            # A side of the copy is a whole number of pixels: either may be one off.
            is_stretched = min(abs(width / aspect - height), abs(height * aspect - width)) > 1
            if is_stretched and not self._stretched_told:
                self._stretched_told = True
                warn(
                    f'{entry["file_name"]!r} {expected}: boxes are scaled by different factors, '
                    'which is wrong of a padded or cropped copy'
                )
            return np.array([size[0] / width, size[1] / height] * 2)
        raise UserError(problem('images', entry['file_name'], expected))

    def _masks(self, segmentations: Sequence[Any], entry: str, image: Image) -> Masks:
        size = (image.width, image.height)
        listed = tuple(
            self._images[entry].get(name) or each
            for name, each in zip(('width', 'height'), size, strict=True)
        )
        try:
            masks = as_masks(segmentations, *listed)
        except ValueError as error:
            raise UserError(
                fault('results', f'of {entry!r}, a segmentation is no mask: {error}')
            ) from error
        if listed == size:
            return masks
        bitmaps = decode_masks(masks, *listed).astype(np.uint8)
        return encode_masks(
            [cv2.resize(each, size, interpolation=cv2.INTER_NEAREST) for each in bitmaps]
        )

    @cached_property
    def _rows(self) -> list[Any]:
        content = read_json('results', self._path)
        if not isinstance(content, list):
            raise UserError(problem('results', self._path, 'is no list of results'))
        if not content:
            warn(f'{self._path} holds no result')
        for number, row in enumerate(content):
            if not isinstance(row, Mapping):
                raise UserError(problem('results', self._path, f'has no dict in entry {number}'))
        return content

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[Any, ...]]]:
        by_name: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for name, row in self._read_rows():
            by_name[name].append(row)
        twice = 0
        for name, rows in by_name.items():
            # Masks without boxes may differ where all else is the same.
            has_boxes = all(box is not None for box, *_ in rows)
            if has_boxes and is_repeated(row[:3] for row in rows):
                by_name[name] = list({row[:3]: row for row in rows}.values())
                twice += len(rows) - len(by_name[name])
        if twice:
            warn(f'{self._path}: {twice} results are there twice, and count once')
        self._check_form(by_name)
        scores = [score for rows in by_name.values() for _, score, _, _ in rows]
        if len(scores) >= _MANY and set(scores) == {1.0}:
            warn(f'{self._path}: all {len(scores)} scores are 1: are they predictions?')
        return by_name

    def _check_form(self, by_name: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        """Look whether boxes can be x, y, width, height of their pictures.

        Raises:
            UserError: If they are of another form, which may be allowed.
        """
        corners, sizes = [], []
        for name, rows in by_name.items():
            listed = self._images[name]
            size = [listed.get(side) or 0 for side in ('width', 'height')]
            own = [row[0] for row in rows if row[0] is not None]
            corners += own
            sizes += [size] * len(own)
        boxes = np.array(corners, np.float64).reshape(-1, 4)
        boxes[:, 2:] -= boxes[:, :2]
        if (other := other_form(boxes, sizes, XYWH)) is not None:
            expected = f'has boxes that leave their pictures as {XYWH}, and not as {other}'
            doubt('box-form', problem('results', self._path, expected))

    def _read_rows(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        images = ImageIds(self._path, self._coco.images)
        categories = Ids(self._coco.categories)
        # Category ids are neither label indices nor in their order.
        labels = {
            category['id']: self.classes.index(category['name'])
            for category in self._coco.categories
            if category['name'] in self.classes
        }
        for number, row in enumerate(self._rows):
            try:
                segmentation = row.get('segmentation') or None
                box = _box(row, segmentation is not None)
                name = images.name_of(row, number)
                category = categories.find(row.get('category_id'))
                if category is None:
                    raise ValueError(_lacks(row, 'category_id', 'category_id of the images json'))
                score = finite_number(row.get('score'))
                if score is None:
                    raise ValueError(_lacks(row, 'score', 'score'))
            except ValueError as error:
                expected = f'has {error} in entry {number}'
                raise UserError(problem('results', self._path, expected)) from error
            yield name, (box, score, labels[category], segmentation)


def _box(row: Mapping[str, Any], has_mask: bool) -> tuple[float, ...] | None:
    """Return a row's box as corners; None where that of its mask is meant.

    MMDetection writes four zeros for models that locate an object by its mask alone, as SOLO does.

    Raises:
        ValueError: If it is none.
    """
    given = row.get('bbox')
    if has_mask and not given:
        return None
    numbers = [finite_number(each) for each in given] if isinstance(given, list) else []
    found = [each for each in numbers if each is not None]
    if len(numbers) != 4 or len(found) != 4:
        raise ValueError(_lacks(row, 'bbox', 'bbox of x, y, width, height'))
    if has_mask and not any(found):
        return None
    x, y, width, height = found
    return (x, y, x + width, y + height)


def _lacks(row: Mapping[str, Any], key: str, what: str) -> str:
    return f'no {what}' + (f' but {row[key]!r}' if key in row else '')
