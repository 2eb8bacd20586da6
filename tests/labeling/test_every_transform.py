"""What holds of every step of the label pipeline, whatever it does."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcompose.labeling import ByTeacher, LabelPipeline
from mmcompose.registry import CALIBRATIONS, LABEL_TRANSFORMS, THRESHOLDS, Registry
from mmcompose.structures import Detections
from tests.labeling.toys import (
    HEIGHT,
    QUICK,
    TEACHERS,
    WIDTH,
    Scene,
    apply,
    bind,
    fit,
    found,
    permuted,
    rows,
    scene,
    teacher_detections,
)
from tests.toys import assert_sound

WBF = {'type': 'mmcompose.WeightedBoxesFusion'}
PIPELINES: dict[str, list[dict[str, Any]]] = {
    'WeightedBoxesFusion': [WBF],
    'WeightedBoxesFusion weighted': [
        {**WBF, 'weights': {'a': 2.0, 'b': {'cat': 0.5}}, 'conf_type': 'max'}
    ],
    'AgreementWeightedFusion': [{'type': 'mmcompose.AgreementWeightedFusion'}],
    'NMS': [{'type': 'mmcompose.NMS'}],
    'SoftNMS': [{'type': 'mmcompose.SoftNMS'}],
    'NonMaximumWeighted': [{'type': 'mmcompose.NonMaximumWeighted'}],
    'Concatenate': [{'type': 'mmcompose.Concatenate'}],
    'ScoreFilter': [{'type': 'mmcompose.ScoreFilter', 'min_score': 0.3}, WBF],
    'TopK': [WBF, {'type': 'mmcompose.TopK', 'k': 2}],
    'BoxSizeFilter': [{'type': 'mmcompose.BoxSizeFilter', 'min_side': 20}, WBF],
    'AgreementFilter': [WBF, {'type': 'mmcompose.AgreementFilter'}],
    'ScoreBands': [WBF, {'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'ignore': 0.1}],
    'AdaptiveScoreFilter mixture': [
        WBF,
        {'type': 'mmcompose.AdaptiveScoreFilter', 'method': 'mixture', 'min_boxes': 4},
    ],
    'AdaptiveScoreBands': [WBF, {'type': 'mmcompose.AdaptiveScoreBands', 'min_boxes': 4}],
    'DuplicateFilter': [WBF, {'type': 'mmcompose.DuplicateFilter'}],
    'AppearanceCheck': [WBF, {'type': 'mmcompose.AppearanceCheck'}],
    'CrossClassSuppression': [
        WBF,
        {'type': 'mmcompose.CrossClassSuppression', 'min_count': 1, 'min_rate': 0.1},
    ],
    'ScoreCalibration quantile': [
        {'type': 'mmcompose.ScoreCalibration', 'method': 'quantile'},
        WBF,
    ],
    'ScoreCalibration agreement': [
        {'type': 'mmcompose.ScoreCalibration', 'method': 'agreement'},
        WBF,
    ],
    'ScoreCalibration prior': [
        WBF,
        {
            'type': 'mmcompose.ScoreCalibration',
            'method': 'prior',
            'boxes_per_image': {'person': 1.0, 'cat': 0.5},
        },
    ],
    'BoxWeights': [WBF, {'type': 'mmcompose.BoxWeights', 'by': ['score', 'votes', 'spread']}],
    'ResolveHierarchy': [{'type': 'mmcompose.ResolveHierarchy'}, WBF],
    **{
        f'ScoreCalibration {method}': [
            {'type': 'mmcompose.ScoreCalibration', 'method': method, 'min_boxes': 2},
            WBF,
        ]
        for method in ('isotonic', 'platt', 'beta')
    },
    **{
        f'AdaptiveScoreFilter {method}': [
            WBF,
            {'type': 'mmcompose.AdaptiveScoreFilter', 'method': method, 'min_boxes': 2, **more},
        ]
        for method, more in (
            ('prior', {'boxes_per_image': {'person': 1.0, 'cat': 0.5}}),
            ('expected_fbeta', {}),
            ('tempered_fbeta', {}),
            ('precision', {}),
            ('fbeta', {}),
        )
    },
}
# Without one, ResolveHierarchy has nothing to do.
HIERARCHY = {'sofa': ['cat', 'dog']}
POOL = [
    {
        'a': found(([10, 10, 60, 60], 0.9, 0), ([10, 10, 62, 60], 0.8, 1), ([0, 0, 9, 9], 0.2, 2)),
        'b': found(([10, 10, 61, 60], 0.6, 1), ([90, 10, 140, 60], 0.3, 0)),
        'c': found(([10, 12, 60, 60], 0.4, 0)),
    },
    {'a': found(([50, 10, 90, 60], 0.5, 0)), 'b': found(), 'c': found()},
]


TRUTH = {str(number): found(([10, 10, 60, 60], 1, 0)) for number in range(2)}


def scene_of(name: str, teachers: dict[str, list[str]] = TEACHERS, **more: Any) -> Scene:
    return scene(teachers, hierarchy=HIERARCHY if name == 'ResolveHierarchy' else None, **more)


def fitted(
    name: str, teachers: dict[str, list[str]] = TEACHERS, seed: int | None = None, **more: Any
) -> LabelPipeline:
    pool = [
        (
            image if seed is None else {t: permuted(image[t], seed) for t in reversed(image)},
            scene_of(name, teachers, key=str(n), **more),
        )
        for n, image in enumerate(POOL)
    ]
    return fit(LabelPipeline(PIPELINES[name]), pool, TRUTH)


def own_names(registry: Registry) -> set[str]:
    """Return the registered names that are this package's own."""
    registry.import_from_location()
    classes = registry.module_dict.items()
    return {name for name, cls in classes if cls.__module__.split('.')[0] == 'mmcompose'}


def test_every_transform_and_method_is_tested() -> None:
    steps = [step for pipeline in PIPELINES.values() for step in pipeline]
    tested = {step['type'].removeprefix('mmcompose.') for step in steps}
    assert own_names(LABEL_TRANSFORMS) == tested
    for kind, registry in (('Score', CALIBRATIONS), ('Adaptive', THRESHOLDS)):
        own = [step for step in steps if step['type'].startswith(f'mmcompose.{kind}')]
        assert own_names(registry) == {step['method'] for step in own if 'method' in step}


@pytest.fixture(params=PIPELINES, scope='module')
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope='module')
def pipeline(name: str) -> LabelPipeline:
    return fitted(name)


@QUICK
@given(image=teacher_detections())
def test_boxes_stay_in_the_image_with_scores_and_votes(
    pipeline: LabelPipeline, name: str, image: ByTeacher
) -> None:
    result = apply(pipeline, image, scene_of(name))
    assert_sound(result)
    assert (result.boxes >= 0).all()
    assert (result.boxes <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
    assert result.votes is not None
    assert result.votes.shape == (len(result), 3)
    assert result.votes.any(axis=1).all()
    for index, teacher in enumerate(TEACHERS):
        # A teacher that said nothing found nothing.
        assert len(image[teacher]) or not result.votes[:, index].any()


@QUICK
@given(image=teacher_detections(), seed=st.integers(0, 99))
def test_the_order_of_teachers_and_boxes_does_not_matter(
    pipeline: LabelPipeline, name: str, image: ByTeacher, seed: int
) -> None:
    expected = apply(pipeline, image, scene_of(name))
    shuffled = {teacher: permuted(image[teacher], seed) for teacher in reversed(image)}
    result = apply(pipeline, shuffled, scene_of(name))
    np.testing.assert_array_equal(rows(result), rows(expected))
    # The class space lists teachers in another order too; its classes stay in theirs.
    classes = list(scene().class_space.classes)
    other = {teacher: TEACHERS[teacher] for teacher in ('c', 'a', 'b')}
    reordered = apply(pipeline, shuffled, scene_of(name, other, classes=classes))
    np.testing.assert_array_equal(rows(reordered), rows(expected))
    assert reordered.votes is not None and expected.votes is not None
    np.testing.assert_array_equal(reordered.sorted().votes[:, [2, 1, 0]], expected.sorted().votes)


def test_what_is_learned_does_not_depend_on_the_order_of_teachers_and_boxes(
    pipeline: LabelPipeline, name: str
) -> None:
    other = {teacher: TEACHERS[teacher] for teacher in ('c', 'a', 'b')}
    again = fitted(name, other, seed=1, classes=list(scene().class_space.classes))
    for image in POOL:
        expected, result = (apply(each, image, scene_of(name)) for each in (pipeline, again))
        np.testing.assert_allclose(rows(result), rows(expected), rtol=1e-6)


@pytest.mark.parametrize('fusion', ['WeightedBoxesFusion', 'NMS', 'SoftNMS', 'NonMaximumWeighted'])
def test_a_chain_of_boxes_with_one_score_is_fused_alike_in_any_order(fusion: str) -> None:
    """The first lies on the second, the second on the third: who comes first decides."""
    chain = [([left, 0, left + 50, 50], 0.5, 0) for left in (0, 15, 30)]
    pipeline = LabelPipeline([{'type': f'mmcompose.{fusion}', 'iou_thr': 0.5}])
    results = [
        rows(apply(pipeline, {'a': found(*order), 'b': found(), 'c': found()}, scene()))
        for order in itertools.permutations(chain)
    ]
    assert all(result == results[0] for result in results)


def test_nothing_comes_of_nothing(pipeline: LabelPipeline, name: str) -> None:
    for image in ({}, {teacher: Detections() for teacher in TEACHERS}):
        result = apply(pipeline, image, scene_of(name))
        assert len(result) == 0
        assert result.boxes.shape == (0, 4)
        assert result.votes is not None and result.votes.shape == (0, 3)


def test_what_parts_of_the_pool_teach_is_what_the_whole_does(
    name: str, pipeline: LabelPipeline
) -> None:
    at = scene_of(name)
    images = [(image, replace(at.image, key=str(n), truth=None)) for n, image in enumerate(POOL)]
    by_parts = bind(LabelPipeline(PIPELINES[name]), at)
    for number in by_parts.rounds:
        parts = [images[:1], images[1:1], images[1:]]
        states = [by_parts.collect(number, lambda part=part: part) for part in parts]
        by_parts = by_parts.learn(number, states)
    if all(step.right_iou_thr is None for step in by_parts.steps):
        assert by_parts.learned == pipeline.learned


def test_what_was_learned_can_be_loaded(name: str, pipeline: LabelPipeline) -> None:
    fresh = bind(LabelPipeline(PIPELINES[name]), scene_of(name))
    fresh = fresh.with_learned(pipeline.learned)
    assert fresh.learned == pipeline.learned
    for image in POOL:
        expected = rows(apply(pipeline, image, scene_of(name)))
        assert rows(apply(fresh, image, scene_of(name))) == expected


def test_no_torch_is_needed() -> None:
    code = (
        'import sys\n'
        'from mmcompose.labeling import LabelPipeline\n'
        "LabelPipeline([dict(type='mmcompose.WeightedBoxesFusion'),"
        " dict(type='mmcompose.ScoreBands', keep=0.5)])\n"
        "print([m for m in ('torch', 'mmcv', 'sklearn') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == '[]'
