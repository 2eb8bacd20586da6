"""From the fusion on, each step of the label pipeline is applied once an image."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.class_space import ClassSpace
from mmcompose.composition import Composition
from mmcompose.composition.learning import Collecting
from mmcompose.composition.pool_labels import Labeling
from mmcompose.composition.step_images import StepImages
from mmcompose.labeling import (
    FUSED,
    AdaptiveScoreBands,
    AgreementWeightedFusion,
    ByTeacher,
    CrossClassSuppression,
    ImageContext,
    LabelInput,
    LabelPipeline,
    LabelTransform,
    ScoreFilter,
)
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.store import LabelStore, StepBoxes
from mmcompose.structures import Detections, Image
from tests import toys

STEPS: list[dict[str, Any]] = [
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


def composition(
    store: Path | str, steps: Sequence[Mapping[str, Any]] = STEPS, **changes: Any
) -> Composition:
    changes = {'label_pipeline': list(steps), 'max_unreadable': 0.2, **changes}
    return Composition.from_config(toys.composition(store, **changes))


def boxes_of(labels: Iterable[Detections]) -> list[list[Any]]:
    return [
        [
            each.boxes.tolist(),
            each.scores.astype(np.float32).tolist(),
            each.labels.tolist(),
            each.is_ignored.tolist(),
        ]
        for each in labels
    ]


def expected(
    made: Composition, pool: Path, steps: Sequence[Mapping[str, Any]] = STEPS
) -> list[list[Any]]:
    """Return the labels of a pipeline that goes through all steps every time."""
    images = [each for number, each in enumerate(toys.images_in(pool)) if number != UNREADABLE]
    shown = list(made.label_inputs(images))
    space = made.class_space
    pipeline = LabelPipeline(steps).bind(space.with_coarse, np.ones(len(space.teachers)))
    pipeline = pipeline.fit(lambda: shown)
    found = boxes_of(pipeline.apply(*each) for each in shown)
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
    made = composition(tmp_path / 'store')
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
    composition(tmp_path / 'store').labels(toys.images_in(pool))
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
    made = composition(tmp_path / 'store')
    labels = made.labels(toys.images_in(pool))
    assert gone
    assert boxes_of(labels) == expected(made, pool)


class Doubles(LabelTransform):
    """Leaves scores in double precision, which a store does not hold."""

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        found = detections[FUSED]
        return {FUSED: found.with_fields(scores=found.scores.astype(np.float64) / 3)}


def test_what_a_store_would_round_is_not_kept(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LABEL_TRANSFORMS.module_dict, 'Doubles', Doubles)
    steps = [*STEPS[:2], {'type': 'mmcompose.Doubles'}, *STEPS[2:]]
    written: list[int] = []
    monkeypatch.setattr(StepBoxes, 'write', lambda self, part, *_: written.append(part))
    made = composition(tmp_path / 'store', steps)
    assert boxes_of(made.labels(toys.images_in(pool))) == expected(made, pool, steps)
    assert not written


def test_labels_of_other_thresholds_do_not_share_it(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The one that ends first removes its own; the other is still at work.
    monkeypatch.setattr(StepBoxes, 'remove', lambda self: None)
    others = [*STEPS[:-1], {**STEPS[-1], 'ignore_ratio': 0.3}]
    for steps in (STEPS, others):
        shutil.rmtree(tmp_path / 'store' / 'learned', ignore_errors=True)
        shutil.rmtree(tmp_path / 'store' / 'collected', ignore_errors=True)
        composition(tmp_path / 'store', steps).labels(toys.images_in(pool))
    # Before the suppression and before the bands, of either.
    assert len(list((tmp_path / 'store' / 'boxes').iterdir())) == 4


@pytest.mark.parametrize(
    ('teachers', 'steps'),
    [(1, STEPS), (2, STEPS), (1, [STEPS[0], STEPS[-1]]), (1, STEPS[1:]), (2, STEPS[1:])],
    ids=['one', 'two', 'no fusion', 'one, learns first', 'two, learns first'],
)
def test_labels_are_those_of_all_steps_every_time(
    teachers: int, steps: list[dict[str, Any]], pool: Path, request: pytest.FixtureRequest
) -> None:
    names = list(toys.TEACHERS)[:teachers]
    made = composition(
        f'memory://{request.node.name}', steps, teachers={n: toys.TEACHERS[n] for n in names}
    )
    assert boxes_of(made.labels(toys.images_in(pool))) == expected(made, pool, steps)


def test_a_part_in_which_a_teacher_was_not_asked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LabelStore, 'part_size', 1)
    pool = [Image('a.png', 'a.png', 96, 64), Image('b.png', 'b.png', 96, 64)]
    box = Detections.from_arrays([[5, 5, 50, 50]], [0.7], [0])
    shown = [{'a': box, 'b': box}, {'a': box, 'b': Detections(asked=False)}]
    fusion, threshold, agreement = STEPS[1], STEPS[-1], {'type': 'mmcompose.AgreementFilter'}
    space = ClassSpace({'a': ['dog'], 'b': ['dog']})
    pipeline = LabelPipeline([fusion, threshold, agreement]).bind(space, np.ones(2))
    store = LabelStore(tmp_path)

    def context(row: int, looks: bool) -> ImageContext:
        return ImageContext(pool[row].key, 96, 64)

    def predicted(row: int, looks: bool) -> LabelInput:
        return shown[row], context(row, looks)

    def images() -> StepImages:
        kept = {1: store.step_boxes({'before': 1}, pool)}
        return StepImages(pipeline, kept, predicted, context, {})

    parts = [range(1), range(1, 2)]
    for part, rows in enumerate(parts):
        images().before(part, rows, 1)
    nearest = [images().nearest(part, rows, 3) for part, rows in enumerate(parts)]
    assert [begin for begin, _ in nearest] == [1, 0]
    labels = [pipeline.apply(*each, begin) for begin, made in nearest for each in made if each]
    assert [len(each) for each in labels] == [1, 1]


def test_what_was_listed_may_be_gone_when_it_is_read(tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    images = [Image('a.png', 'a.png', 96, 64), Image('b.png', 'b.png', 96, 64)]
    found = [toys.random_detections(seed, 3) for seed in range(2)]
    kept = store.step_boxes({'before': 2}, images)
    kept.write(0, found)
    mine, late = (store.step_boxes({'before': 2}, images) for _ in range(2))
    read = mine.read(0)
    assert read is not None
    assert [each.scores.tolist() for each in read] == [each.scores.tolist() for each in found]
    assert late.read(1) is None
    kept.remove()
    assert late.read(0) is None
