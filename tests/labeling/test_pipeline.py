"""LabelPipeline: building, checking, fitting and applying steps in a row."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from mmcompose.labeling import ByTeacher, LabelContext, LabelPipeline, LabelTransform, Pool, Truth
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import context, found, rows

WBF = {'type': 'mmcompose.WeightedBoxesFusion'}
IMAGE = {'a': found(([0, 0, 9, 9], 0.5, 0)), 'b': found(([0, 0, 9, 9], 0.7, 0)), 'c': found()}
POOL = [(IMAGE, context()), ({}, context(key='empty'))]


class Counter(LabelTransform):
    """Learns how many boxes reach it."""

    def __init__(self, wants_truth: bool = False) -> None:
        self.wants_truth = wants_truth
        self.boxes: int | None = None

    def fit(self, pool: Pool) -> None:
        self.boxes = sum(len(part) for said, _ in pool for part in said.values())

    def fit_labelled(self, pool: Pool, truth: Truth) -> None:
        self.boxes = len(truth)

    @property
    def learned(self) -> dict[str, Any]:
        return {} if self.boxes is None else {'boxes': self.boxes}

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        self.boxes = learned['boxes']

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
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


def test_labels_of_other_code_have_another_address(tmp_path: Path) -> None:
    code = 'from mmcompose.labeling import Concatenate\nclass Own(Concatenate): pass  # {}\n'
    found_codes = []
    for text in ('one', 'one', 'two'):
        (tmp_path / 'own_transform.py').write_text(code.format(text))
        spec = spec_from_file_location('own_transform', tmp_path / 'own_transform.py')
        assert spec is not None and spec.loader is not None
        sys.modules['own_transform'] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
        pipeline = LabelPipeline([WBF])
        pipeline.steps.append(module.Own())
        found_codes.append(pipeline.code)
    del sys.modules['own_transform']
    assert found_codes[0] == found_codes[1] != found_codes[2]
    assert LabelPipeline([WBF]).code != found_codes[0]


def test_check_tells_every_step_that_names_a_stranger() -> None:
    pipeline = LabelPipeline(
        [
            {'type': 'mmcompose.ScoreFilter', 'per_class': {'catt': 0.5}},
            {**WBF, 'weights': {'z': 2.0}},
            {'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'per_class': {'doog': {'keep': 0.3}}},
        ]
    )
    with pytest.raises(UserError) as caught:
        pipeline.check(context().class_space)
    begins = [line.split(':')[0] for line in caught.value.lines]
    key = 'composition.label_pipeline'
    assert begins == [f'{key}[0].per_class', f'{key}[1].weights', f'{key}[2].per_class']


def test_several_teachers_need_a_fusion() -> None:
    with pytest.raises(UserError, match='has no fusion, and 3 teachers speak'):
        LabelPipeline([]).apply(IMAGE, context())
    alone = context({'a': ['cat']})
    result = LabelPipeline([]).apply({'a': found(([-5, 0, 9, 9], 0.5, 0))}, alone)
    assert rows(result) == [(0, 0, 9, 9, 0.5, 0)]


def test_two_fusions_are_a_mistake_that_names_the_second() -> None:
    with pytest.raises(UserError, match=r'^composition.label_pipeline\[1\].type: .*one fusion'):
        LabelPipeline([WBF, WBF]).apply(IMAGE, context())


def test_steps_learn_from_what_the_steps_before_them_make() -> None:
    pipeline = LabelPipeline([])
    pipeline.steps = [Counter(), LabelPipeline([WBF]).steps[0], Counter()]
    pipeline.fit(lambda: POOL)
    assert pipeline.learned == [{'boxes': 2}, {}, {'boxes': 1}]
    other = LabelPipeline([])
    other.steps = [Counter(), LabelPipeline([WBF]).steps[0], Counter()]
    other.load_learned(pipeline.learned)
    assert other.learned == pipeline.learned


def test_steps_that_want_truth() -> None:
    pipeline = LabelPipeline([])
    pipeline.steps = [LabelPipeline([WBF]).steps[0], Counter(wants_truth=True)]
    with pytest.raises(UserError, match=r'^composition.label_pipeline\[1\].learned_file: is miss'):
        pipeline.fit(lambda: POOL)
    truth = {'one': Detections(), 'two': Detections()}
    pipeline.fit(lambda: POOL, lambda: POOL, truth)
    assert pipeline.learned == [{}, {'boxes': 2}]
    # Having learned, it needs no truth any more.
    pipeline.fit(lambda: POOL)


def test_without_bands() -> None:
    pipeline = LabelPipeline([WBF, {'type': 'mmcompose.ScoreBands', 'keep': 0.99}])
    assert len(pipeline.apply(IMAGE, context())) == 0
    scored = pipeline.without_bands()
    assert len(scored.steps) == 1
    assert len(scored.apply(IMAGE, context())) == 1


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
        LabelPipeline(steps).fit(lambda: POOL)
