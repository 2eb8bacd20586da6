"""Tests of predicting: what it tells, what is in memory, and what a further process sees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mmcompose.composition import Composition
from mmcompose.composition.jobs import take_parts
from mmcompose.composition.predicting import CHUNK_SIZE, Predicting
from mmcompose.composition.unreadable import Unreadable
from mmcompose.store import ImageTable, LabelStore
from mmcompose.structures import Detections, Image
from mmcompose.teachers import FunctionTeacher
from mmcompose.utils import UserError
from tests import toys


def test_the_share_of_each_teacher(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that goes on a second at each picture of the first teacher, three else."""
    now = 0.0

    def predict(self: FunctionTeacher, images: Sequence[Image]) -> list[Detections]:
        nonlocal now
        now += len(images) * (1 if self.classes == toys.FIRST else 3)
        return [Detections() for _ in images]

    told: list[str] = []

    def make(self: Predicting, parts: Iterator[int], tick: object) -> Iterator[int]:
        told.append(self.detail())
        yield from whole(self, parts, lambda images: None)
        told.append(self.detail())

    whole = Predicting.make
    monkeypatch.setattr(FunctionTeacher, 'predict', predict)
    monkeypatch.setattr(Predicting, 'make', make)
    monkeypatch.setattr('mmcompose.composition.teacher_times.time.perf_counter', lambda: now)
    Composition(**toys.composition(tmp_path)).predictions(toys.images_in(pool))
    assert told[0] == ''
    assert re.search(r'^0\.25 images/s a process, time of first 25%, second 75%$', told[1])


def _texts_of_every_second_picture(folder: Path) -> tuple[dict[str, Any], list[Image]]:
    """Return a teacher of YOLO texts, and a pool of which as many pictures have none, by name."""
    (folder / 'texts').mkdir()
    pool = []
    for number in range(4):
        (folder / 'texts' / f'{number}.txt').write_text('0 0.5 0.5 0.5 0.5 0.9\n')
        pool += [Image(f'{within}{number}.png', '', 32, 32) for within in ('', 'night/')]
    teacher = {'type': 'mmcompose.COCOResultsTeacher', 'results': str(folder / 'texts')}
    return {**teacher, 'classes': ['car']}, sorted(pool, key=lambda image: image.key)


def test_a_further_process_lets_teachers_see_the_whole_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a part alone, another picture's text would be taken for that of one that has none."""
    monkeypatch.setattr(LabelStore, 'part_size', 2)
    config, pool = _texts_of_every_second_picture(tmp_path)
    ensemble = {'type': 'mmcompose.EnsembleTeacher', 'members': [config, config]}
    for name, teacher in (('alone', config), ('members', ensemble)):
        parts = toys.composition(tmp_path / name, teachers={'texts': teacher})
        made = Composition(**parts)
        made.store.begin()
        work = made._maker.teachers.reopen().predicting_too(False, ImageTable.of(pool))
        # Those at night first.
        list(work.make(iter(reversed(work.unfinished())), lambda images: None))
        found = made.predictions(pool)['texts']
        for row, image in enumerate(pool):
            assert len(found[row]) == (not image.key.startswith('night/')), (name, image.key)


def test_a_further_process_predicts_with_no_other_teacher(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoint was written over while the others were at work."""
    (tmp_path / 'weights').write_text('0.9')
    (tmp_path / 'further_process_teacher.py').write_text(
        'import numpy as np\n'
        'def see(pixels, weights):\n'
        '    score = float(open(weights).read())\n'
        '    return np.float32([[1, 1, 9, 9]]), np.float32([score]), np.array([0])\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    teacher = {
        'type': 'mmcompose.FunctionTeacher',
        'function': 'further_process_teacher.see',
        'classes': ['car'],
        'arguments': {'weights': str(tmp_path / 'weights')},
    }
    made = Composition(**toys.composition(tmp_path / 'store', teachers={'a': teacher}))
    made.store.begin()
    (tmp_path / 'weights').write_text('0.4')
    images = ImageTable.of(toys.images_in(pool))
    with pytest.raises(UserError, match=r'composition\.teachers\.a: has changed since it was read'):
        made._maker.teachers.reopen().predicting_too(False, images)


@pytest.mark.parametrize(('side', 'most'), [(100, CHUNK_SIZE), (4000, 4), (10_000, 1)])
def test_few_large_pictures_are_in_memory_at_once(side: int, most: int, tmp_path: Path) -> None:
    asked: list[int] = []

    class Counting(FunctionTeacher):
        def __init__(self) -> None:
            self.classes = ('car',)

        def predict(self, images: Sequence[Image]) -> list[Detections]:
            asked.append(len(images))
            return [Detections() for _ in images]

    pool = ImageTable.of([Image(f'{number}.png', '', side, side) for number in range(40)])
    store = LabelStore(tmp_path)
    work = store.work_list(pool, {'a': store.predictions('a')})
    made = Predicting(store, work, {'a': Counting()}, Unreadable(len(pool), 0))
    list(take_parts(made, lambda images: None, wait=True))
    assert max(asked) == most and sum(asked) == len(pool)
