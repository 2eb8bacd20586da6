"""A folder of YOLO text files, named as the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from mmcompose.class_space import GivenNames
from mmcompose.structures import Detections, Image
from mmcompose.structures.box_forms import CXCYWH, FORMS, XYXY, other_form
from mmcompose.structures.finite import finite_number
from mmcompose.structures.json_files import read_text
from mmcompose.structures.repeats import is_repeated
from mmcompose.structures.yolo_lines import read_yolo_lines, yolo_corners
from mmcompose.teachers.named_classes import named_classes
from mmcompose.utils import UserError, doubt, fault, problem, warn

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
        if not _text_files(self._folder):
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
            for file in _text_files(self._folder)
        }

    def check_used(self, entries: Iterable[str]) -> None:
        """Do nothing: a text file holds the results of its picture alone."""

    def read(self, entry: str, image: Image) -> Detections:
        """Return the boxes of a text file, in pixels of the image.

        Raises:
            UserError: If a line is not "class cx cy w h score" relative to the picture's size.
        """
        assert self._has_scores and self._has_form
        lines = self._lines(str(self._files[entry]))
        rows = np.array(lines, np.float64).reshape(len(lines), 6)
        boxes = yolo_corners(rows[:, 1:5], image.width, image.height)
        return Detections.from_arrays(boxes, rows[:, 5], rows[:, 0])

    def _lines(self, path: str) -> list[tuple[float, ...]]:
        found = [row for _, row in read_yolo_lines('results', path, 'class cx cy w h score')]
        if is_repeated(found):
            once = list(dict.fromkeys(found))
            warn(f'{path}: {len(found) - len(once)} lines are there twice, and count once')
            return once
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


def _text_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob('*') if file.suffix.lower() == '.txt')


def _picture_name(path: Path) -> str:
    return Path(*(_PICTURES if part == _TEXTS else part for part in path.parts)).as_posix()


def _rows_of_six(path: Path) -> Iterator[list[float]]:
    """Yield the lines that are six numbers; other texts lie about, such as a list of names."""
    for line in read_text('results', str(path)).splitlines():
        row = [finite_number(each) for each in line.split()]
        if len(row) == 6 and None not in row:
            yield [value for value in row if value is not None]
