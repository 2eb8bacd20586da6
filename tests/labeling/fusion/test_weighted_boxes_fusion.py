"""WeightedBoxesFusion: equal to ensemble-boxes where it should be, better where it should be."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from ensemble_boxes import weighted_boxes_fusion
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mmcompose.labeling import FUSED, WeightedBoxesFusion
from mmcompose.labeling.compute.vote_weights import StackedDetections, VoteWeights
from mmcompose.labeling.compute.weighted_boxes_kernel import (
    CONF_TYPES,
    FusionOptions,
    fuse_boxes,
    order_rows,
)
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import (
    HEIGHT,
    QUICK,
    THOROUGH,
    WIDTH,
    apply,
    bind,
    built,
    found,
    scene,
    teacher_detections,
)
from tests.toys import assert_sound

Arrays = tuple[NDArray[Any], ...]
SIZE = np.array([WIDTH, HEIGHT] * 2, float)


@st.composite
def teachers(draw: st.DrawFn) -> list[Arrays]:
    """For each teacher boxes in [0, 1], distinct scores and labels; some boxes jitter others."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, classes = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    objects = draw(st.integers(1, 6))
    jitter = draw(st.sampled_from([0.0, 0.01, 0.05]))
    low = rng.uniform(0, 0.7, (objects, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.02, 0.3, (objects, 2))], axis=1)
    made = []
    for _ in range(count):
        chosen = rng.integers(0, objects, draw(st.integers(0, 2 * objects)))
        moved = (boxes[chosen] + rng.normal(0, jitter, (len(chosen), 4))).clip(0, 1)
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 0.01)
        labels = rng.integers(0, classes, len(chosen))
        made.append((moved.clip(0, 1), rng.uniform(0.01, 1, len(chosen)), labels))
    return made


def kernel(made: list[Arrays], weights: NDArray[Any], conf_type: str, **options: Any) -> Arrays:
    """Run the array kernel with all teachers asked for all classes."""
    boxes, scores, labels = (np.concatenate(parts) for parts in zip(*made, strict=True))
    owner = np.repeat(np.arange(len(made)), [len(part[0]) for part in made])
    by_class = np.repeat(weights[:, None], 3, axis=1)
    voters = VoteWeights(
        by_class,
        np.ones_like(by_class, dtype=bool),
        np.full(3, len(made)),
        by_class.sum(axis=0),
        by_class.max(axis=0),
        np.arange(len(made), dtype=float),
        np.zeros(3, bool),
        False,
    )
    fusion = FusionOptions(
        options.get('iou_thr', 0.55),
        options.get('skip_box_thr', 0.0),
        CONF_TYPES.index(conf_type),
        options.get('allows_overflow', False),
    )
    return fuse_boxes(StackedDetections(boxes, scores, labels, owner), voters, fusion, 1.0, 1.0)


def in_order(boxes: NDArray[Any], scores: NDArray[Any], labels: NDArray[Any]) -> Arrays:
    """Order as the kernel does, where boxes differ by more than rounding."""
    order = np.lexsort((*boxes.round(4).T[::-1], labels, -scores.round(9)))
    return boxes[order], scores[order], labels[order]


@THOROUGH
@given(
    made=teachers(),
    conf_type=st.sampled_from(CONF_TYPES),
    weights=st.lists(st.sampled_from([0.5, 1.0, 1.7, 3.0]), min_size=4, max_size=4),
    iou_thr=st.sampled_from([0.3, 0.55, 0.7, 0.95]),
    skip_box_thr=st.sampled_from([0.0, 0.4]),
    allows_overflow=st.booleans(),
)
def test_without_owners_it_equals_ensemble_boxes(
    made: list[Arrays], conf_type: str, weights: list[float], **options: Any
) -> None:
    used = np.array(weights[: len(made)])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        expected = weighted_boxes_fusion(
            *zip(*made, strict=True), weights=used, conf_type=conf_type, **options
        )
    result = kernel(made, used, conf_type, **options)
    for ours, theirs in zip(in_order(*result[:3]), in_order(*expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@QUICK
@given(made=teachers(), conf_type=st.sampled_from(CONF_TYPES))
def test_the_transform_without_owners_equals_ensemble_boxes(
    made: list[Arrays], conf_type: str
) -> None:
    names = ['person', 'cat', 'sofa']
    # 't3' knows one class, and is asked for all nevertheless.
    classes = {f't{i}': names if i != 3 else ['person'] for i in range(len(made))}
    image = {
        f't{i}': Detections.from_arrays(boxes * SIZE, scores, labels if i != 3 else 0 * labels)
        for i, (boxes, scores, labels) in enumerate(made)
    }
    said = list(image.values())
    expected = weighted_boxes_fusion(
        [part.boxes / SIZE for part in said],
        [part.scores.astype(float) for part in said],
        [part.labels for part in said],
        conf_type=conf_type,
    )
    fusion = WeightedBoxesFusion(conf_type=conf_type, owners=False)
    result = apply(fusion, image, scene(classes))[FUSED]
    boxes, scores, labels = in_order(expected[0], expected[1].clip(0, 1), expected[2])
    ours = in_order(result.boxes / SIZE, result.scores.astype(float), result.labels)
    np.testing.assert_allclose(ours[0], boxes, atol=1e-6)
    np.testing.assert_allclose(ours[1], scores, atol=1e-6)
    np.testing.assert_array_equal(ours[2], labels)


@pytest.mark.parametrize('conf_type', CONF_TYPES)
@pytest.mark.parametrize('weights', [[1, 1, 1], [0.2, 3.0, 0.5]])
def test_a_class_of_one_owner_keeps_its_boxes_and_scores(
    conf_type: str, weights: list[float]
) -> None:
    sofas = found(([10, 10, 60, 60], 0.9, 2), ([11, 10, 60, 60], 0.4, 2))
    fusion = WeightedBoxesFusion(conf_type=conf_type)
    result = apply(fusion, {'b': found(), 'a': sofas, 'c': found()}, scene(weights=weights))
    np.testing.assert_allclose(result[FUSED].boxes, sofas.boxes)
    np.testing.assert_allclose(result[FUSED].scores, sofas.scores, rtol=1e-6)


@pytest.mark.parametrize(
    ('conf_type', 'expected'),
    # person has three owners of which two find it, with scores 0.8 and 0.6.
    [
        ('avg', 1.4 / 3),
        ('max', 0.8),
        ('box_and_model_avg', 0.7 * 2 / 3),
        ('absent_model_aware_avg', 1.4 / 3),
    ],
)
def test_votes_are_counted_among_owners(conf_type: str, expected: float) -> None:
    image = {
        'a': found(([10, 10, 60, 60], 0.8, 0)),
        'b': found(([10, 10, 60, 60], 0.6, 0)),
        'c': found(),
    }
    result = apply(WeightedBoxesFusion(conf_type=conf_type), image, scene())[FUSED]
    assert result.scores == pytest.approx([expected])
    # cat has two owners, and both find it.
    image = {name: part for name, part in image.items()}
    cats = {
        'a': found(([10, 10, 60, 60], 0.8, 1)),
        'b': found(([10, 10, 60, 60], 0.6, 1)),
        'c': found(),
    }
    result = apply(WeightedBoxesFusion(conf_type=conf_type), cats, scene())[FUSED]
    assert result.scores == pytest.approx([0.8 if conf_type == 'max' else 0.7])


def test_boxes_know_where_they_come_from() -> None:
    image = {
        'a': found(([10, 10, 60, 60], 0.8, 0), ([10, 10, 60, 58], 0.3, 0)),
        'b': found(([10, 10, 60, 70], 0.6, 0)),
        'c': found(([120, 10, 180, 60], 0.5, 0)),
    }
    result = apply(WeightedBoxesFusion(), image, scene())[FUSED]
    by_size = {int(size): row for row, size in enumerate(result.cluster_size)}
    assert set(by_size) == {1, 3}
    together, single = by_size[3], by_size[1]
    # The class space lists b, a, c.
    assert result.votes[together].tolist() == [True, True, False]
    assert result.votes[single].tolist() == [False, False, True]
    assert result.best_score[[together, single]] == pytest.approx([0.8, 0.5])
    assert result.spread[single] == 0
    assert 0 < result.spread[together] < 0.2


def test_a_teachers_weight_moves_box_and_score() -> None:
    image = {
        'a': found(([0, 0, 100, 50], 0.5, 1)),
        'b': found(([0, 0, 80, 50], 0.5, 1)),
        'c': found(),
    }
    heavy_a = apply(WeightedBoxesFusion(weights={'a': 3.0}), image, scene())[FUSED]
    assert heavy_a.boxes[0, 2] == pytest.approx((3 * 100 + 80) / 4)
    of_cats = apply(WeightedBoxesFusion(weights={'a': {'cat': 3.0}}), image, scene())[FUSED]
    np.testing.assert_array_equal(of_cats.boxes, heavy_a.boxes)
    of_people = apply(WeightedBoxesFusion(weights={'a': {'person': 3.0}}), image, scene())[FUSED]
    assert of_people.boxes[0, 2] == pytest.approx(90)
    teacher = apply(WeightedBoxesFusion(), image, scene(weights=[1, 3, 1]))[FUSED]
    np.testing.assert_array_equal(teacher.boxes, heavy_a.boxes)


@pytest.mark.parametrize('score', [0.0, 0.5])
def test_what_breaks_ensemble_boxes_does_not_break_this(score: float) -> None:
    box = [-20, -5, 50, 120]
    image = {
        # Zero scores, no area, outside the image: no NaN, no warning, no exit.
        'a': found((box, score, 0), ([30, 30, 30, 60], 0.9, 0), ([-50, 0, -10, 30], 0.9, 0)),
        'b': found((box, score, 0)),
        'c': found((box, score, 0)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        result = apply(WeightedBoxesFusion(), image, scene())[FUSED]
    assert result.labels.dtype == np.int64
    assert result.boxes.dtype == result.scores.dtype == np.float32
    expected = [] if score == 0 else [[0, 0, 50, HEIGHT]]
    np.testing.assert_allclose(result.boxes, np.reshape(expected, (-1, 4)))


@QUICK
@given(image=teacher_detections(), conf_type=st.sampled_from(CONF_TYPES), overflow=st.booleans())
def test_scores_stay_in_range_with_unequal_weights(
    image: dict[str, Detections], conf_type: str, overflow: bool
) -> None:
    fusion = WeightedBoxesFusion(conf_type=conf_type, allows_overflow=overflow)
    result = apply(fusion, image, scene(weights=[0.1, 5.0, 1.0]))[FUSED]
    assert_sound(result)


def test_an_average_of_a_heavy_teachers_two_boxes_stops_at_1() -> None:
    """Two boxes of weight 5 among 6.1: ensemble-boxes gives 1.48."""
    twice = found(([10, 10, 60, 60], 0.9, 0), ([10, 10, 61, 60], 0.9, 0))
    image = {'b': found(), 'a': twice, 'c': found()}
    result = apply(WeightedBoxesFusion(), image, scene(weights=[0.1, 5.0, 1.0]))[FUSED]
    assert result.scores.tolist() == [1.0]


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ({'iou_thr': 1.5}, r'^step.iou_thr: 1.5 is not in \[0, 1\]'),
        ({'skip_box_thr': -1}, '^step.skip_box_thr: -1'),
        ({'conf_type': 'average'}, "^step.conf_type: 'average' .*did you mean 'avg'"),
        ({'weights': {'a': 0}}, '^step.weights.a: 0 is not above 0'),
        ({'weights': {'a': {'cat': -1.0}}}, '^step.weights.a.cat: -1.0'),
        ({'weights': [1, 2]}, '^step.weights: '),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        built(WeightedBoxesFusion, **arguments)


@pytest.mark.parametrize(
    ('weights', 'told'),
    [
        ({'A1': 2.0}, "^weights: 'A1' is not a teacher"),
        ({'a': {'catt': 2.0}}, "^weights.a: 'catt' is not a class .*did you mean 'cat'"),
    ],
)
def test_weights_of_strangers(weights: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        bind(WeightedBoxesFusion(weights=weights), scene())


def test_a_second_fusion_is_an_error() -> None:
    once = apply(WeightedBoxesFusion(), {'a': found(([0, 0, 9, 9], 0.5, 0))}, scene())
    with pytest.raises(UserError, match=r"^type: .*'fused'.* only one fusion"):
        apply(WeightedBoxesFusion(), once, scene())


@QUICK
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_rows_are_ordered_as_numpy_orders_them(keys: list[tuple[int, int, int]]) -> None:
    array = np.array(keys, float).reshape(-1, 3)
    np.testing.assert_array_equal(order_rows(array), np.lexsort(array.T[::-1]))


@pytest.mark.parametrize('score', [0.1, 0.3, 0.7, 0.9])
def test_a_box_with_just_the_score_to_skip_below_takes_part(score: float) -> None:
    step = WeightedBoxesFusion(skip_box_thr=score)
    assert len(apply(step, {'a': found(([10, 10, 60, 60], score, 2))}, scene())[FUSED]) == 1


def test_a_class_of_two_names_has_one_weight() -> None:
    teachers = {'a': ['cat', 'tv']}
    at = scene(teachers, aliases=[{'tv': ['tvmonitor']}])
    step = WeightedBoxesFusion(weights={'a': {'tv': 2.0, 'tvmonitor': 0.5}})
    with pytest.raises(UserError, match=r"^weights.a: 'tvmonitor' is the class of 'tv', too"):
        bind(step, at)
