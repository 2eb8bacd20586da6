"""Whatever a teacher predicts is checked once, a plugin's teacher included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher
from mmcompose.teachers import evidence as evidence_module
from mmcompose.teachers.boundary import check_detections
from mmcompose.utils import UserError

SIZE = (100, 80)
Row = tuple[list[float], float, float]


class Replayed(Teacher):
    """A plugin's teacher: it knows nothing of the check."""

    classes = ('cat', 'dog')

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        boxes, scores, labels = zip(*self._rows, strict=True) if self._rows else ((), (), ())
        return [Detections.from_arrays(boxes, scores, labels) for _ in images]


class Head(Replayed):
    """One whose boxes a head regressed."""

    regresses_boxes = True

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        return super().predict(images)


def _predict(rows: Sequence[Row], kind: type[Replayed] = Replayed, count: int = 1) -> Detections:
    return kind(rows).predict([Image(f'{n}.jpg', f'{n}.jpg', *SIZE) for n in range(count)])[0]


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(evidence_module, 'warn', told.append)
    return told


GOOD: Row = ([10, 10, 50, 60], 0.5, 0)
OUTSIDE: Row = ([300, 10, 350, 60], 0.5, 0)
TINY: Row = ([20, 20, 20.5, 60], 0.5, 0)
FLAT: Row = ([20, 20, 20, 60], 0.5, 0)
INVERTED: Row = ([50, 10, 10, 60], 0.5, 0)
RELATIVE: Row = ([0.2, 0.2, 0.8, 0.9], 0.5, 0)


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ([([0, 0, np.nan, 1], 0.5, 0)], '^0.jpg: the model predicts NaN'),
        ([([0, 0, np.inf, 1], 0.5, 0)], 'infinite'),
        # A position and a size where corners are meant.
        (
            [GOOD, ([6, 6, 3, 9], 0.5, 0)],
            '^0.jpg: .* negative width .* y2 = 6, 6, 3, 9',
        ),
        ([([0, 0, 5, 5], 1.5, 0)], 'scores in'),
        ([([0, 0, 5, 5], -3, 0)], r'scores in \[-3, -3\], not in \[0, 1\]'),
        (
            [GOOD, ([0, 0, 5, 5], 0.5, 2)],
            '^classes: 2 names, .* predicts class number 2',
        ),
        ([GOOD, ([0, 0, 5, 5], 0.5, -1)], 'class number -1'),
        ([([0, 0, 5, 5], 0.5, 1.9)], '^labels: 1.9 is no whole number'),
        ([RELATIVE], '^boxes: the only one lies within the first pixel of the picture: .*0 to 1'),
        ([RELATIVE] * 7, 'all 7 lie within the first pixel'),
        ([OUTSIDE, OUTSIDE], '^boxes: 2 of 2 lie outside their picture'),
        ([GOOD] + [OUTSIDE] * 30, '30 of 31 lie outside'),
        ([GOOD] + [TINY] * 30, '^boxes: 30 of 31 are less than a pixel wide or high'),
        ([RELATIVE] * 7 + [([0, 0, 0, 0], 1e-6, 0)], 'all 7 lie within the first pixel'),
        ([GOOD] + [FLAT] * 30, '^boxes: 30 of 31 are less than a pixel wide or high'),
        ([([0, 0, 0, 0], 0.5, 0)] * 30, '^boxes: 30 of 30 are less than a pixel wide or high'),
    ],
)
def test_what_can_be_no_detection_is_refused(rows: list[Row], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _predict(rows)


@pytest.mark.parametrize(
    'rows',
    [
        [],
        [GOOD],
        # A spot of one pixel in the corner; filler rows; a box that is a little over the border.
        [([0, 0, 1, 1], 0.9, 0)],
        [([0, 0, 0, 0], 0.0, 0)] * 30,
        [([-3, -2, 104, 81], 0.9, 1)],
        [GOOD, RELATIVE],
        [GOOD] * 17 + [TINY] * 3,
        [OUTSIDE],
        [GOOD] * 4 + [OUTSIDE],
        # A detector by rule is sure of all that it finds.
        [([10, 10, 50, 60], 1, 0)] * 40,
    ],
)
@pytest.mark.parametrize('kind', [Replayed, Head])
def test_what_is_sound_passes_without_a_warning(
    rows: list[Row], kind: type[Replayed], warnings: list[str]
) -> None:
    _predict(rows, kind)
    assert warnings == []


def test_a_part_outside_the_picture_is_warned_of_once(warnings: list[str]) -> None:
    teacher = Replayed([GOOD, GOOD, OUTSIDE])
    for _ in range(20):
        teacher.predict([Image('a', 'a.jpg', *SIZE)])
    assert warnings == ['7 of 21 boxes so far lie outside their picture']


@pytest.mark.parametrize('small', [TINY, FLAT])
def test_a_part_of_less_than_a_pixel_is_warned_of_once(small: Row, warnings: list[str]) -> None:
    teacher = Replayed([GOOD, GOOD, small])
    for _ in range(20):
        teacher.predict([Image('a', 'a.jpg', *SIZE)])
    assert warnings == ['7 of 21 boxes so far are less than a pixel wide or high']


@pytest.mark.parametrize(
    ('box', 'count', 'is_told'),
    [
        # Of a copy of half the size.
        ([2, 3, 50, 40], 25, True),
        ([2, 3, 20, 12], 25, True),
        # Few pictures are no evidence.
        ([2, 3, 50, 40], 5, False),
        ([2, 3, 52, 40], 25, False),
        ([2, 3, 50, 44], 25, False),
        ([48, 3, 90, 40], 25, False),
    ],
)
def test_a_pool_whose_boxes_keep_to_one_quarter_is_warned_of_once(
    box: list[float], count: int, is_told: bool, warnings: list[str]
) -> None:
    teacher = Replayed([(box, 0.5, 0)] * 5)
    for number in range(count):
        teacher.predict([Image(str(number), f'{number}.jpg', *SIZE)])
    told = '100 of 100 boxes so far lie in the upper left quarter of their picture: are they in '
    assert warnings == [f'{told}pixels of a smaller copy?'] * is_told


@pytest.mark.parametrize(
    ('classes', 'label', 'score', 'is_told'),
    [
        # Names of a model that has the background first, of one that has it last, of 91 ids.
        (('__background__', 'cat'), 0, 0.9, True),
        (('cat', 'background'), 1, 0.9, True),
        (('cat', 'N/A', 'dog'), 1, 0.9, True),
        (('', 'cat'), 0, 0.9, True),
        (('cat', 'N/A', 'dog'), 1, 0.2, False),
        (('__background__', 'cat'), 1, 0.9, False),
    ],
)
def test_a_sure_box_of_no_class_is_warned_of_once(
    classes: tuple[str, ...], label: int, score: float, is_told: bool, warnings: list[str]
) -> None:
    teacher = Replayed([(GOOD[0], score, label)])
    teacher.classes = classes
    for _ in range(3):
        teacher.predict([Image('a', 'a.jpg', *SIZE)])
    assert [f'of class number {label}, {classes[label]!r}' in line for line in warnings] == (
        [True] * is_told
    )


def test_boxes_of_negative_width_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.utils.doubts.warn', told.append)
    teacher = Replayed([GOOD, INVERTED])
    with pytest.raises(UserError, match=r"negative width .*; allow=\['inverted-boxes'\]"):
        teacher.predict([Image('a', 'a.jpg', *SIZE)])
    teacher.allow = ('inverted-boxes',)
    for _ in range(3):
        (found,) = teacher.predict([Image('a', 'a.jpg', *SIZE)])
        assert found.boxes.tolist() == [GOOD[0]]
    assert len(told) == 1


def test_a_score_a_little_out_of_bounds_is_mended() -> None:
    rows = [([0, 0, 4, 4], 1.02, 0), ([0, 0, 5, 5], -0.02, 1)]
    assert _predict(rows).scores.tolist() == [1, 0]


def test_boxes_are_cut_at_the_border() -> None:
    assert _predict([([-5, -5, 120, 40], 0.5, 0)]).boxes.tolist() == [[0, 0, 100, 40]]


def test_a_width_that_a_head_regressed_below_0_is_no_box() -> None:
    found = _predict([([6, 6, 9, 9], 0.5, 0), ([6, 6, 3, 9], 0.6, 0)], Head)
    assert found.boxes.tolist() == [[6, 6, 9, 9]]
    with pytest.raises(UserError, match='30 of 31 have a negative width or height'):
        _predict([GOOD] + [INVERTED] * 30, Head)


@pytest.mark.parametrize(
    ('returned', 'message'),
    [
        ((), '^predict: returns tuple, not a list of Detections'),
        ([], 'returns 0 results for 1 images'),
        ([None], 'not a list of Detections'),
    ],
)
def test_what_is_no_list_of_detections_is_refused(returned: Any, message: str) -> None:
    class Odd(Teacher):
        classes = ('cat',)

        def predict(self, images: Sequence[Image]) -> list[Detections]:
            return returned  # type: ignore[no-any-return]

    with pytest.raises(UserError, match=message):
        Odd().predict([Image('a', 'a.jpg', *SIZE)])


@pytest.mark.parametrize(('number', 'word'), [(np.nan, 'NaN'), (np.inf, 'infinite numbers')])
def test_features_are_finite(number: float, word: str) -> None:
    image = Image('street.jpg', 'street.jpg', *SIZE)
    features = np.array([[1, number]], np.float16)
    found = replace(Detections.from_arrays([[0, 0, 9, 9]], [1], [0]), features=features)
    with pytest.raises(UserError, match=f'street\\.jpg: the model predicts {word}'):
        check_detections([found], [image], ['cell'])


@pytest.mark.parametrize('size', [(1, 1), (2, 2), (3000, 1)])
def test_boxes_of_less_than_a_pixel_are_no_mistake_in_a_picture_of_few(
    size: tuple[int, int], warnings: list[str]
) -> None:
    teacher = Replayed([([0, 0.1, 0.4, 0.9], 0.5, 0), ([0, 0, 0, 1], 0.5, 0)] * 30)
    (found,) = teacher.predict([Image('dot.png', 'dot.png', *size)])
    assert len(found) == 30
    assert warnings == []
