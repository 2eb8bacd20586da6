"""A folder of YOLO text files, named as the pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import GivenNames
from mmcompose.structures import Detections, Image
from mmcompose.structures.box_forms import CXCYWH, FORMS, XYXY, other_form
from mmcompose.structures.json_files import read_text
from mmcompose.structures.repeats import is_repeated
from mmcompose.teachers.named_classes import named_classes
from mmcompose.utils import UserError, doubt, fault, problem, warn

# How far over the picture's border a relative coordinate may lie.
_SLACK = 0.1
# Of how many files the form of boxes is looked at before the first is read.
_SAMPLE = 500
# Of the columns behind the class.
_AS_READ = f'{CXCYWH}, score'
_FORMS = {
    _AS_READ: FORMS[CXCYWH],
    f'{XYXY}, score': FORMS[XYXY],
    f'score, {CXCYWH}': lambda rows: FORMS[CXCYWH](rows[:, 1:]),
}
# YOLO keeps `images/train/1.jpg` beside `labels/train/1.txt`.
_TEXTS, _PICTURES = 'labels', 'images'


class YoloTexts:
    """Text files by the path of their picture, without suffix.

    Args:
        folder: Where they are; sub-folders are those of the pictures.
        classes: Class names in the order of the class numbers.
    """

    by_stem = True
    what = 'text files'

    def __init__(self, folder: str, classes: str | GivenNames | None) -> None:
        if classes is None:
            raise UserError(fault('classes', 'is missing; text files know class numbers alone'))
        self._folder = Path(folder)
        if not any(self._folder.rglob('*.txt')):
            raise UserError(problem('results', folder, 'holds no text file'))
        self.classes = named_classes(classes)

    @property
    def entries(self) -> list[str]:
        """The files' paths in the folder, as the pictures are named."""
        return list(self._files)

    @cached_property
    def _files(self) -> dict[str, Path]:
        return {
            _picture_name(file.relative_to(self._folder).with_suffix('')): file
            for file in sorted(self._folder.rglob('*.txt'))
        }

    def read(self, entry: str, image: Image) -> Detections:
        """Return the boxes of a text file, in pixels of the image.

        Raises:
            UserError: If a line is not "class cx cy w h score" relative to the picture's size.
        """
        assert self._has_scores and self._has_form
        rows = self._rows(self._files[entry])
        size = np.array([image.width, image.height])
        center, half = rows[:, 1:3] * size, rows[:, 3:5] * size / 2
        boxes = np.concatenate([center - half, center + half], axis=1)
        return Detections.from_arrays(boxes, rows[:, 5], rows[:, 0])

    def _rows(self, path: Path) -> NDArray[np.float64]:
        numbered = self._lines(path)
        rows = [row for _, row in numbered]
        for number, row in numbered:
            place, size = np.abs(np.array(row[1:3]) - 0.5), np.array(row[3:5])
            if (place > 0.5 + _SLACK).any() or (size > 1 + _SLACK).any():
                expected = (
                    f'has coordinates in line {number} that are not relative to the '
                    "picture's size (0 to 1)"
                )
                raise UserError(problem('results', str(path), expected))
        return np.array(rows, np.float64).reshape(len(rows), 6)

    def _lines(self, path: Path) -> list[tuple[int, tuple[float, ...]]]:
        found = []
        for number, line in enumerate(read_text('results', str(path)).splitlines(), start=1):
            if not line.strip():
                continue
            try:
                row = [float(each) for each in line.split()]
            except ValueError:
                row = []
            if len(row) != 6 or row[0] % 1:
                expected = f'has a line that is not "class cx cy w h score": line {number}'
                raise UserError(problem('results', str(path), expected))
            found.append((number, tuple(row)))
        if is_repeated(row for _, row in found):
            first = {row: number for number, row in reversed(found)}
            warn(f'{path}: {len(found) - len(first)} lines are there twice, and count once')
            return [(number, row) for row, number in reversed(first.items())]
        return found

    @cached_property
    def _has_form(self) -> bool:
        """Look at the boxes of some files.

        Raises:
            UserError: If they are of another form, which may be allowed.
        """
        files = list(self._files.values())
        some = files[:: max(len(files) // _SAMPLE, 1)]
        rows = [row for path in some for row in _rows_of_six(path)]
        boxes = np.array(rows, np.float64).reshape(-1, 6)[:, 1:]
        if (other := other_form(boxes, np.ones((len(boxes), 2)), _AS_READ, _FORMS)) is not None:
            expected = f'has boxes that leave their pictures as {_AS_READ}, and not as {other}'
            doubt('box-form', problem('results', str(self._folder), expected))
        return True

    @cached_property
    def _has_scores(self) -> bool:
        """Look at files until one holds a score that is no whole number.

        Raises:
            UserError: If none does: the sixth column then holds a track's number, as Ultralytics
                writes it (``track`` with ``save_txt``, without ``save_conf``). That all are 1 may
                be allowed.
        """
        seen = []
        for path in self._files.values():
            for *_, score in _rows_of_six(path):
                if score % 1:
                    return True
                seen.append(score)
        found = problem(
            'results',
            str(self._folder),
            f'holds whole numbers up to {max(seen, default=0):g} in the sixth column of all '
            f'{len(seen)} lines, where scores are expected: are they track ids?',
        )
        if max(seen, default=0) > 1:
            raise UserError(found)
        if len(seen) > 1 and set(seen) == {1.0}:
            doubt('whole-scores', found)
        return True


def _picture_name(path: Path) -> str:
    return Path(*(_PICTURES if part == _TEXTS else part for part in path.parts)).as_posix()


def _rows_of_six(path: Path) -> Iterator[list[float]]:
    """Yield the lines that are six numbers; other texts lie about, such as a list of names."""
    for line in read_text('results', str(path)).splitlines():
        columns = line.split()
        if len(columns) == 6 and all(map(_is_number, columns)):
            yield list(map(float, columns))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
