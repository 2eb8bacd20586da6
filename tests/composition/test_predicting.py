"""Tests of what predicting tells of how far it has come."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mmcompose.composition import Composition
from mmcompose.composition.predicting import Predicting
from mmcompose.structures import Detections, Image
from mmcompose.teachers import FunctionTeacher
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
