"""Each step of the label pipeline sees an image once, whatever it learns from the pool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.composition import Composition
from mmcompose.composition.learning import Collecting
from mmcompose.composition.pool_labels import Labeling, PoolLabels
from mmcompose.labeling import (
    AdaptiveScoreBands,
    AgreementWeightedFusion,
    CrossClassSuppression,
    LabelPipeline,
    ScoreFilter,
)
from mmcompose.store import LabelStore
from tests import toys

STEPS = [
    {'type': 'mmcompose.ScoreFilter', 'min_score': 0.05},
    {'type': 'mmcompose.AgreementWeightedFusion'},
    {'type': 'mmcompose.CrossClassSuppression'},
    {'type': 'mmcompose.AdaptiveScoreBands', 'method': 'tempered_fbeta', 'ignore_ratio': 0.6},
]
COUNT, UNREADABLE = 9, 4


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine pictures in parts of four, one of which cannot be read."""
    monkeypatch.setattr(LabelStore, 'part_size', 4)
    folder = tmp_path / 'pool'
    toys.draw(folder, COUNT, empty=[2])
    (folder / f'{UNREADABLE:03d}.png').write_bytes(b'no picture')
    return folder


def composition(tmp_path: Path) -> Composition:
    config = toys.composition(tmp_path / 'store', label_pipeline=STEPS, max_unreadable=0.2)
    return Composition.from_config(config)


def boxes_of(labels: PoolLabels) -> list[list[Any]]:
    return [
        [each.boxes.tolist(), each.scores.tolist(), each.labels.tolist(), each.is_ignored.tolist()]
        for each in labels
    ]


def expected(made: Composition, pool: Path) -> list[list[Any]]:
    """Return the labels of a pipeline that goes through all steps every time."""
    images = [each for number, each in enumerate(toys.images_in(pool)) if number != UNREADABLE]
    shown = list(made.label_inputs(images))
    space = made.class_space
    pipeline = LabelPipeline(STEPS).bind(space.with_coarse, np.ones(2)).fit(lambda: shown)
    labels = [pipeline.apply(*each) for each in shown]
    found = [
        [each.boxes.tolist(), each.scores.tolist(), each.labels.tolist(), each.is_ignored.tolist()]
        for each in labels
    ]
    return [*found[:UNREADABLE], [[]] * 4, *found[UNREADABLE:]]


def test_each_step_is_applied_once_an_image(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied: Counter[str] = Counter()
    for step in (ScoreFilter, AgreementWeightedFusion, CrossClassSuppression, AdaptiveScoreBands):

        def counted(
            self: Any, found: Any, image: Any, apply: Any = step.apply, name: str = step.__name__
        ) -> Any:
            applied[name] += image.key != 'an empty image'
            return apply(self, found, image)

        monkeypatch.setattr(step, 'apply', counted)
    made = composition(tmp_path)
    applied.clear()
    labels = made.labels(toys.images_in(pool))
    readable = COUNT - 1
    assert applied == {
        # Before the fusion there is nothing to go on from: for it, and for what comes after.
        'ScoreFilter': 2 * readable,
        'AgreementWeightedFusion': readable,
        'CrossClassSuppression': readable,
        'AdaptiveScoreBands': readable,
    }
    assert boxes_of(labels) == expected(made, pool)


def test_nothing_of_it_is_left(pool: Path, tmp_path: Path) -> None:
    composition(tmp_path).labels(toys.images_in(pool))
    kinds = {path.name for path in (tmp_path / 'store').iterdir()}
    assert {'labels', 'learned', 'predictions'} <= kinds
    assert not list((tmp_path / 'store').glob('boxes/*'))


@pytest.mark.parametrize('work', [Collecting, Labeling])
def test_what_is_no_longer_kept_is_made_anew(
    work: Any, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make: Callable[..., None] = work._make
    gone: list[Path] = []

    def without(self: Any, part: int, tick: Any) -> None:
        # Another process has the labels, and removes what it went on from.
        gone.extend((tmp_path / 'store').glob('boxes/*/part-*'))
        for kept in self._images.kept.values():
            kept.remove()
        make(self, part, tick)

    monkeypatch.setattr(work, '_make', without)
    made = composition(tmp_path)
    labels = made.labels(toys.images_in(pool))
    assert gone
    assert boxes_of(labels) == expected(made, pool)
