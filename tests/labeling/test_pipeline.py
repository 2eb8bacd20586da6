"""LabelPipeline: building, checking, fitting and applying steps in a row."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.labeling import (
    ByTeacher,
    ImageContext,
    LabelPipeline,
    LabelStream,
    LabelTransform,
    WeightedBoxesFusion,
)
from mmcompose.labeling.compute.state import State, state_from_bytes, state_to_bytes, summed
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import apply, bind, fit, found, rows, scene

WBF = {'type': 'mmcompose.WeightedBoxesFusion'}
IMAGE = {'a': found(([0, 0, 9, 9], 0.5, 0)), 'b': found(([0, 0, 9, 9], 0.7, 0)), 'c': found()}
POOL = [(IMAGE, scene()), ({}, scene(key='empty'))]


class Counter(LabelTransform):
    """Learns how many boxes reach it, in two rounds."""

    rounds = 2

    def __init__(self, right_iou_thr: float | None = None) -> None:
        self.right_iou_thr = right_iou_thr

    def collect(self, stream: LabelStream) -> State:
        images = [(each, at) for each, at in stream if at.truth is not None or not self.by_truth]
        return {'boxes': np.array([sum(len(part) for each, _ in images for part in each.values())])}

    @property
    def by_truth(self) -> bool:
        return self.right_iou_thr is not None

    def merge(self, states: Sequence[State]) -> State:
        return summed(states)

    def learn(self, state: State) -> None:
        rounds = self.learned.get('rounds', 0) + 1
        self.load_learned({'boxes': int(state['boxes'][0]), 'rounds': rounds})

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        return detections


@pytest.mark.parametrize(
    ('steps', 'told'),
    [
        ([{'type': 'mmcompose.ScoreFiltre'}], r"\[0\].type: 'ScoreFiltre|did you mean"),
        ([WBF, {'type': 'mmcompose.ScoreBands'}], r'\[1\].keep: is missing'),
        ([{**WBF, 'iou_th': 0.5}], r"\[0\]: 'iou_th' is not a key .*did you mean 'iou_thr'"),
        ([{**WBF, 'iou_thr': 5}], r'\[0\].iou_thr: 5 is not in \[0, 1\]'),
    ],
)
def test_mistakes_name_the_step(steps: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(UserError, match=told):
        LabelPipeline(steps)


def test_revisions_address_what_a_step_computes(tmp_path: Path) -> None:
    code = 'from mmcompose.labeling import Concatenate\nclass Own(Concatenate): pass  # {}\n'
    addresses = []
    for text in ('one', 'one', 'two'):
        (tmp_path / 'own_transform.py').write_text(code.format(text))
        spec = spec_from_file_location('own_transform', tmp_path / 'own_transform.py')
        assert spec is not None and spec.loader is not None
        sys.modules['own_transform'] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
        addresses.append(LabelPipeline([module.Own()]).revisions)
    del sys.modules['own_transform']
    # Somebody's own class is addressed by its file, one of this package by its revision.
    assert addresses[0] == addresses[1] != addresses[2]
    calibration = LabelPipeline([{'type': 'mmcompose.ScoreCalibration', 'method': 'platt'}])
    assert calibration.revisions == [
        [
            ['ScoreCalibration', 1],
            ['LabelTransform', 1],
            [['PlattCalibration', 2], ['CalibrationByTruth', 2], ['Calibration', 2]],
        ]
    ]


def test_to_bind_tells_every_step_that_names_a_stranger() -> None:
    pipeline = LabelPipeline(
        [
            {'type': 'mmcompose.ScoreFilter', 'per_class': {'catt': 0.5}},
            {**WBF, 'weights': {'z': 2.0}},
            {'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'per_class': {'doog': {'keep': 0.3}}},
        ]
    )
    with pytest.raises(UserError) as caught:
        bind(pipeline, scene())
    begins = [line.split(':')[0] for line in caught.value.lines]
    key = 'composition.label_pipeline'
    assert begins == [f'{key}[0].per_class', f'{key}[1].weights', f'{key}[2].per_class']


def test_several_teachers_need_a_fusion() -> None:
    with pytest.raises(UserError, match='has no fusion, and 3 teachers predict'):
        apply(LabelPipeline([]), IMAGE, scene())
    alone = scene({'a': ['cat']})
    result = apply(LabelPipeline([]), {'a': found(([-5, 0, 9, 9], 0.5, 0))}, alone)
    assert rows(result) == [(0, 0, 9, 9, 0.5, 0)]


def test_two_fusions_are_a_mistake_that_names_the_second() -> None:
    with pytest.raises(UserError, match=r'^composition.label_pipeline\[1\].type: .*one fusion'):
        apply(LabelPipeline([WBF, WBF]), IMAGE, scene())


def test_steps_learn_from_what_the_steps_before_them_make() -> None:
    fusion = WeightedBoxesFusion()
    pipeline = fit(LabelPipeline([Counter(), fusion, Counter()]), POOL)
    assert pipeline.learned == [{'boxes': 2, 'rounds': 2}, {}, {'boxes': 1, 'rounds': 2}]
    other = bind(LabelPipeline([Counter(), fusion, Counter()]), scene())
    assert other.with_learned(pipeline.learned).learned == pipeline.learned
    # Neither learned in passing.
    assert other.learned == [{}, {}, {}]
    assert pipeline.forget().learned == [{}, {}, {}]


def test_what_is_collected_of_parts_and_merged_is_what_the_whole_pool_gives() -> None:
    pipeline = bind(LabelPipeline([Counter(), WeightedBoxesFusion(), Counter()]), scene())
    images = [(each, at.image) for each, at in POOL * 3]
    fitted = pipeline.fit(lambda: images)
    assert pipeline.rounds == [0, 0, 2, 2]
    for number in pipeline.rounds:
        parts = (images[:2], [], images[2:])
        states = [pipeline.collect(number, lambda part=part: part) for part in parts]
        pipeline = pipeline.learn(number, states)
    assert pipeline.learned == fitted.learned


def test_a_state_can_be_stored() -> None:
    state = {'boxes': np.arange(3), 'scores': np.zeros((0, 2), np.float32)}
    again = state_from_bytes(state_to_bytes(state))
    assert set(again) == set(state)
    for name, array in state.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)


def test_steps_that_learn_from_labeled_images() -> None:
    pipeline = LabelPipeline([WeightedBoxesFusion(), Counter(right_iou_thr=0.5)])
    with pytest.raises(UserError, match=r'^composition.label_pipeline\[1\].learned_file: is miss'):
        fit(pipeline, POOL)
    with pytest.raises(UserError, match=r'^composition.label_pipeline\[1\].learned_file: is miss'):
        pipeline.check_learned()
    fitted = fit(pipeline, POOL, {'image': Detections()})
    fitted.check_learned()
    assert fitted.learned == [{}, {'boxes': 1, 'rounds': 2}]
    # Having learned, it needs no truth any more.
    assert fit(fitted, POOL).learned == fitted.learned


def test_without_bands() -> None:
    pipeline = LabelPipeline([WBF, {'type': 'mmcompose.ScoreBands', 'keep': 0.99}])
    assert len(apply(pipeline, IMAGE, scene())) == 0
    scored = pipeline.without_bands()
    assert len(scored.steps) == 1
    assert len(apply(scored, IMAGE, scene())) == 1


@pytest.mark.parametrize(
    ('steps', 'told'),
    [
        ([WBF, {'type': 'mmcompose.ScoreCalibration'}], r'\[1\].type: .* put it before a fusion'),
        ([{'type': 'mmcompose.CrossClassSuppression'}, WBF], r'\[0\].type: .* after a fusion'),
    ],
)
def test_a_step_that_stands_in_the_wrong_place_cannot_learn(
    steps: list[dict[str, Any]], told: str
) -> None:
    with pytest.raises(UserError, match=rf'^composition.label_pipeline{told}$'):
        fit(LabelPipeline(steps), POOL)
