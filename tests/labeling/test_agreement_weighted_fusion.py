"""AgreementWeightedFusion: who can be relied on, learned from the pool alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcompose.labeling import (
    FUSED,
    AgreementWeightedFusion,
    ByTeacher,
    LabelContext,
    WeightedBoxesFusion,
)
from mmcompose.labeling.agreement import agreement_weights
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import HEIGHT, QUICK, WIDTH, context, found, permuted, rows, said

ALIKE = {name: ['person', 'cat'] for name in 'abc'}
Pool = list[tuple[ByTeacher, LabelContext]]


def scenes(
    teachers: Mapping[str, Sequence[str]] = ALIKE,
    sees: Mapping[str, float] | None = None,
    spoiled: str | None = None,
    scale: Mapping[str, float] | None = None,
    images: int = 120,
) -> Pool:
    """Let each teacher see a share of the same objects, one of them elsewhere half the time."""
    rng = np.random.default_rng(0)
    where = context(teachers)
    space = where.class_space
    pool: Pool = []
    for _ in range(images):
        low = rng.uniform(0, [WIDTH - 50, HEIGHT - 50], (4, 2))
        objects = np.concatenate([low, low + rng.uniform(20, 50, (4, 2))], axis=1)
        labels = rng.integers(0, 2, 4)
        image = {}
        for name in teachers:
            seen = rng.random(4) < (sees or {}).get(name, 0.9)
            boxes = objects + rng.normal(0, 1, objects.shape)
            if name == spoiled and rng.random() < 0.5:
                low = rng.uniform(0, [WIDTH - 50, HEIGHT - 50], (4, 2))
                boxes = np.concatenate([low, low + rng.uniform(20, 50, (4, 2))], axis=1)
            known = np.isin(labels, space.teacher_index(name))
            scores = rng.uniform(0.4, 0.9, 4) * (scale or {}).get(name, 1.0)
            keep = seen & known
            image[name] = Detections.of(boxes[keep], scores[keep], labels[keep])
        pool.append((image, where))
    return pool


def test_teachers_of_equal_strength_weigh_about_the_same() -> None:
    weights = agreement_weights(scenes())
    assert set(weights) == {'a', 'b', 'c'}
    assert min(weights.values()) > 0.7


@pytest.mark.parametrize('spoiled', 'abc')
def test_a_teacher_that_fails_on_half_of_the_images_loses_its_voice(spoiled: str) -> None:
    weights = agreement_weights(scenes(spoiled=spoiled))
    others = [weight for name, weight in weights.items() if name != spoiled]
    assert weights[spoiled] < 0.45 * min(others)
    assert min(others) > 0.7


def test_a_teacher_that_sees_less_weighs_less() -> None:
    weights = agreement_weights(scenes(sees={'b': 0.4}))
    assert weights['b'] < 0.6 * min(weights['a'], weights['c'])


def test_the_scale_of_scores_does_not_matter() -> None:
    plain, scaled = (agreement_weights(scenes(scale=s)) for s in ({}, {'b': 0.5}))
    assert scaled['b'] == pytest.approx(plain['b'], abs=0.15)


def test_two_teachers_are_not_told_apart_by_agreement_alone() -> None:
    pool = scenes({'a': ['person', 'cat'], 'b': ['person', 'cat']}, spoiled='b')
    weights = agreement_weights(pool)
    assert min(weights.values()) > 0.7


def test_teachers_that_share_nothing_weigh_the_same() -> None:
    assert agreement_weights(scenes({'a': ['person'], 'b': ['cat']})) == {'a': 1.0, 'b': 1.0}
    assert agreement_weights([]) == {}


def test_neither_the_order_of_teachers_nor_of_boxes_matters() -> None:
    pool = scenes(spoiled='b', images=20)
    reordered = context({name: ALIKE[name] for name in 'cab'}, classes=['person', 'cat'])
    turned = [
        ({name: permuted(image[name], 5) for name in reversed(image)}, reordered)
        for image, _ in pool
    ]
    assert agreement_weights(turned) == pytest.approx(agreement_weights(pool), abs=2e-4)


@QUICK
@given(images=st.lists(said(), max_size=4))
def test_weights_are_in_the_unit_interval_whatever_is_said(images: list[ByTeacher]) -> None:
    weights = agreement_weights([(image, context()) for image in images])
    assert set(weights) == ({'a', 'b', 'c'} if images else set())
    assert all(0 < weight <= 1 for weight in weights.values())
    assert not images or max(weights.values()) == 1


def test_what_is_learned_weighs_the_fusion_and_can_be_loaded() -> None:
    pool = scenes(spoiled='b')
    fusion = AgreementWeightedFusion(iou_thr=0.55)
    image = {
        'a': found(([10, 10, 60, 60], 0.6, 0)),
        'b': found(([90, 10, 140, 60], 0.6, 0)),
        'c': found(),
    }
    before = fusion.apply(image, context(ALIKE))[FUSED]
    assert rows(before) == rows(WeightedBoxesFusion().apply(image, context(ALIKE))[FUSED])
    fusion.fit(pool)
    after = fusion.apply(image, context(ALIKE))[FUSED]
    at = {bool(x < 80): score for (x, *_), score in zip(after.boxes, after.scores, strict=True)}
    assert at[False] < 0.45 * at[True]
    fresh = AgreementWeightedFusion(iou_thr=0.55)
    fresh.load_learned(fusion.learned)
    assert rows(fresh.apply(image, context(ALIKE))[FUSED]) == rows(after)


@pytest.mark.parametrize('arguments', [{'agreement_iou_thr': 1.5}, {'iou_thr': -1}])
def test_arguments_out_of_range_are_told(arguments: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f'^{next(iter(arguments))}: '):
        AgreementWeightedFusion(**arguments)
