"""Tests of what teachers are fed: batches by shape, and the same with readers as without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmcompose.composition.jobs import take_parts
from mmcompose.composition.predicting import Predicting
from mmcompose.composition.reading import Reading, Wanted, in_windows
from mmcompose.composition.teacher_times import TeacherTimes
from mmcompose.composition.unreadable import Unreadable
from mmcompose.store import ImageTable, LabelStore
from mmcompose.structures import Detections, Image
from mmcompose.teachers import PreparedTeacher, Teacher
from mmcompose.utils import UserError, fault
from tests import toys

COUNT = 90


class Prepared(PreparedTeacher):
    """Finds rectangles in pictures that were prepared before; remembers its batches."""

    classes = toys.STUDENT
    batch_size = 40

    def __init__(self, refuses: str = '') -> None:
        self.refuses = refuses
        self.batches: list[list[str]] = []

    def prepare(self, image: Image) -> Any:
        if image.key == self.refuses:
            raise UserError(fault('', f'{image.path}: is refused'))
        return image.pixels.copy()

    def shape_of(self, prepared: Any) -> Any:
        return prepared.shape

    def predict_prepared(
        self, images: Sequence[Image], prepared: Sequence[Any]
    ) -> list[Detections]:
        self.batches.append([image.key for image in images])
        return [Detections.from_arrays(*toys.see(each, self.classes)) for each in prepared]


class Looking(Teacher):
    """Looks at pixels itself."""

    classes = toys.STUDENT

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        return [Detections.from_arrays(*toys.see(each.pixels, self.classes)) for each in images]


@pytest.fixture(scope='module')
def pool(tmp_path_factory: pytest.TempPathFactory) -> ImageTable:
    """Every third picture is upright."""
    folder = tmp_path_factory.mktemp('pool')
    toys.draw(folder, COUNT)
    images = toys.images_in(folder)
    for image in images[::3]:
        cv2.imwrite(image.path, np.ascontiguousarray(image.pixels.transpose(1, 0, 2)))
        image.width, image.height = image.height, image.width
        image.forget_pixels()
    return ImageTable.of(images)


@pytest.fixture
def predict(tmp_path: Path) -> Callable[..., Any]:
    """Lets teachers predict, and returns the files of the store and the results."""

    def run(pool: ImageTable, teachers: dict[str, Teacher], readers: int) -> Any:
        store = LabelStore(tmp_path / f'store {readers}')
        store.begin()
        results = {name: store.predictions(name) for name in teachers}
        work = store.work_list(pool, results)
        made = Predicting(store, work, teachers, Unreadable(len(pool), 0.1), readers)
        assert list(take_parts(made, lambda images: None, wait=True)) == [0]
        files = {
            str(path.relative_to(store.location.url)): path.read_bytes()
            for path in Path(store.location.url).rglob('*.parquet')
        }
        return files, {name: each.of(pool) for name, each in results.items()}

    return run


def test_pictures_of_one_shape_share_a_batch_across_a_part(
    pool: ImageTable, predict: Callable[..., Any]
) -> None:
    teacher = Prepared()
    _, results = predict(pool, {'one': teacher}, 0)
    assert [len(batch) for batch in teacher.batches] == [40, 30, 20]
    for row, image in enumerate(pool):
        expected = toys.see(image.pixels, toys.STUDENT)[0]
        np.testing.assert_allclose(results['one'][row].boxes, expected)


def test_readers_change_nothing(pool: ImageTable, predict: Callable[..., Any]) -> None:
    made = [
        predict(pool, {'one': Prepared(), 'two': Looking(), 'three': Prepared()}, readers)[0]
        for readers in (0, 2)
    ]
    assert made[0] == made[1] and len(made[0]) == 3


@pytest.mark.parametrize('readers', [0, 2])
def test_an_unreadable_picture_is_left_out_by_all(
    readers: int, pool: ImageTable, predict: Callable[..., Any], tmp_path: Path
) -> None:
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'no picture')
    images = [*pool, Image('broken.png', str(broken), 0, 0)]
    _, results = predict(ImageTable.of(images), {'one': Prepared(), 'two': Looking()}, readers)
    for each in results.values():
        assert list(each.unreadable()) == [COUNT] and not len(each[COUNT])
        assert len(each[COUNT - 1]) == 3


@pytest.mark.parametrize('readers', [0, 2])
def test_it_is_left_out_by_a_teacher_that_comes_later(
    readers: int, pool: ImageTable, predict: Callable[..., Any], tmp_path: Path
) -> None:
    """The one that prepares pictures has seen to it, and to no other of a pool that grew."""
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'no picture')
    images = [*pool, Image('broken.png', str(broken), 64, 64)]
    predict(ImageTable.of(images[-20:]), {'one': Prepared()}, readers)
    _, results = predict(ImageTable.of(images), {'one': Prepared(), 'two': Looking()}, readers)
    for each in results.values():
        assert list(each.unreadable()) == [COUNT] and len(each[COUNT - 1]) == 3


@pytest.mark.parametrize('readers', [0, 2])
def test_a_teachers_mistake_names_it(
    readers: int, pool: ImageTable, predict: Callable[..., Any]
) -> None:
    with pytest.raises(UserError, match=r'composition\.teachers\.one: .*007\.png: is refused'):
        predict(pool, {'one': Prepared(refuses='007.png')}, readers)


def test_no_more_is_claimed_than_readers_are_ahead(
    pool: ImageTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('mmcompose.composition.reading._WINDOW_IMAGES', 8)
    looked: list[int] = []

    def wanted() -> Iterator[Wanted]:
        for row, image in enumerate(pool):
            looked.append(row)
            yield Wanted(image, ('one',))

    reading = Reading({'one': Prepared()}, TeacherTimes(['one']))
    reads = reading.in_readers(in_windows(wanted()), 2, pin=False)
    window, _ = next(reads)
    # Each reader has three windows.
    assert len(window) == 8 and len(looked) <= 7 * 8
    assert sum(len(window) for window, _ in reads) == COUNT - 8


def test_readers_start_where_threads_of_opencv_were_at_work(
    pool: ImageTable, predict: Callable[..., Any]
) -> None:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 5)
        predict(pool, {'one': Prepared()}, 2)
        assert cv2.getNumThreads() == 4
    finally:
        cv2.setNumThreads(threads)


def test_a_window_holds_some_pictures_or_few_large_ones() -> None:
    sides = [100] * 18 + [4000] + [100] * 3
    wanted = [Wanted(Image(f'{n}', '', side, side), ('one',)) for n, side in enumerate(sides)]
    windows = list(in_windows(wanted))
    assert [len(window) for window in windows] == [16, 3, 3]
    assert [each for window in windows for each in window] == wanted
