"""AgreementWeightedFusion: who can be relied on, learned from the pool alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcompose.labeling import (
    FUSED,
    AgreementWeightedFusion,
    ByTeacher,
    WeightedBoxesFusion,
)
from mmcompose.labeling.compute.agreement import agreement_weights
from mmcompose.labeling.compute.image_trust import ImageTrust
from mmcompose.labeling.compute.pool_arrays import PoolArrays
from mmcompose.labeling.compute.pool_sample import collect_sample
from mmcompose.labeling.compute.trust_evidence import evidence_ratios
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import (
    QUICK,
    Pool,
    apply,
    bind,
    built,
    fit,
    found,
    permuted,
    rows,
    scene,
    teacher_detections,
)
from tests.labeling.worlds import ALIKE, world


def weights_of(pool: Pool, sharpness: float = 5.0, trusted: bool = False) -> dict[str, float]:
    space = (pool[0][1] if pool else scene()).class_space
    sample = collect_sample([(each, at.image) for each, at in pool], space)
    trust = ImageTrust.fit(sample, space) if trusted else None
    return agreement_weights(sample, space, trust=trust, sharpness=sharpness)


def test_teachers_of_equal_strength_weigh_about_the_same() -> None:
    weights = weights_of(world().pool)
    assert set(weights) == {'a', 'b', 'c'}
    assert min(weights.values()) > 0.7


@pytest.mark.parametrize('spoiled', 'abc')
def test_a_teacher_that_always_fails_loses_its_voice(spoiled: str) -> None:
    weights = weights_of(world(spoiled=spoiled, failing=1.0).pool, sharpness=3)
    others = [weight for name, weight in weights.items() if name != spoiled]
    assert weights[spoiled] < 0.25 * min(others)
    assert min(others) > 0.5


def test_a_teacher_is_weighed_by_the_images_in_which_it_works() -> None:
    pool = world(spoiled='b').pool
    assert weights_of(pool, sharpness=3)['b'] < 0.3
    assert weights_of(pool, sharpness=3, trusted=True)['b'] > 0.6


def test_one_object_without_a_confirmation_counts_as_far_as_its_teacher_is_trusted() -> None:
    """Its teacher alone knows the class, so that there is no average that it could fall in."""
    teachers = {'a': ['person', 'cat', 'sofa'], 'b': ['person', 'cat'], 'c': ['person', 'cat']}
    fusion = AgreementWeightedFusion()
    fit(fusion, world(teachers, spoiled='a', images=300).pool)
    there = scene(teachers)
    sofa = there.class_space.classes.index('sofa')
    person, astray = ([10, 10, 60, 60], 0.8, 0), ([120, 30, 180, 90], 0.8, 0)
    scores = []
    for said_of_person in (person, astray):
        a = found(said_of_person, ([20, 20, 90, 90], 0.9, sofa))
        fused = apply(fusion, {'a': a, 'b': found(person), 'c': found(person)}, there)[FUSED]
        assert (np.diff(fused.scores) <= 0).all()
        scores.append(float(fused.scores[fused.labels == sofa][0]))
    assert scores[0] == pytest.approx(0.9, abs=0.05)
    assert scores[1] < 0.1


def test_where_nobody_fails_trust_changes_nothing() -> None:
    made = world(images=300)
    fusion = AgreementWeightedFusion()
    fit(fusion, made.pool)
    plain = WeightedBoxesFusion(iou_thr=0.7, weights=fusion.learned['weights'])
    for each in made.pool[:20]:
        assert rows(apply(fusion, *each)[FUSED]) == rows(apply(plain, *each)[FUSED])


def test_a_teacher_that_sees_less_weighs_less() -> None:
    weights = weights_of(world(sees={'b': 0.4}).pool)
    assert weights['b'] < 0.6 * min(weights['a'], weights['c'])


def test_the_scale_of_scores_does_not_matter() -> None:
    plain, scaled = (weights_of(world(scale=s).pool) for s in ({}, {'b': 0.5}))
    assert scaled['b'] == pytest.approx(plain['b'], abs=0.15)


def test_without_sharpness_all_weigh_the_same() -> None:
    weights = weights_of(world(sees={'b': 0.4}).pool, sharpness=0)
    assert weights == {'a': 1, 'b': 1, 'c': 1}


def test_two_teachers_are_not_told_apart_by_agreement_alone() -> None:
    pool = world({'a': ['person', 'cat'], 'b': ['person', 'cat']}, spoiled='b').pool
    weights = weights_of(pool)
    assert min(weights.values()) > 0.7


def test_teachers_that_share_nothing_weigh_the_same() -> None:
    assert weights_of(world({'a': ['person'], 'b': ['cat']}).pool) == {'a': 1.0, 'b': 1.0}
    assert weights_of([]) == {}


def test_neither_the_order_of_teachers_nor_of_boxes_matters() -> None:
    pool = world(spoiled='b', images=20).pool
    reordered = scene({name: ALIKE[name] for name in 'cab'}, classes=['person', 'cat'])
    turned = [
        ({name: permuted(image[name], 5) for name in reversed(image)}, reordered)
        for image, _ in pool
    ]
    assert weights_of(turned) == pytest.approx(weights_of(pool), abs=2e-4)


@QUICK
@given(images=st.lists(teacher_detections(), max_size=4))
def test_weights_are_in_the_unit_interval_whatever_is_said(images: list[ByTeacher]) -> None:
    weights = weights_of([(image, scene()) for image in images])
    assert set(weights) == ({'a', 'b', 'c'} if images else set())
    assert all(0 < weight <= 1 for weight in weights.values())
    assert not images or max(weights.values()) == 1


def test_what_is_learned_weighs_the_fusion_and_can_be_loaded() -> None:
    pool = world(spoiled='b').pool
    fusion = AgreementWeightedFusion(iou_thr=0.55)
    image = {
        'a': found(([10, 10, 60, 60], 0.6, 0)),
        'b': found(([90, 10, 140, 60], 0.6, 0)),
        'c': found(),
    }
    before = apply(fusion, image, scene(ALIKE))[FUSED]
    assert rows(before) == rows(apply(WeightedBoxesFusion(), image, scene(ALIKE))[FUSED])
    fit(fusion, pool)
    after = apply(fusion, image, scene(ALIKE))[FUSED]
    at = {bool(x < 80): score for (x, *_), score in zip(after.boxes, after.scores, strict=True)}
    assert at[False] < 0.45 * at[True]
    fresh = bind(AgreementWeightedFusion(iou_thr=0.55), scene(ALIKE))
    fresh.load_learned(fusion.learned)
    assert rows(apply(fresh, image, scene(ALIKE))[FUSED]) == rows(after)


@pytest.mark.parametrize(
    'arguments', [{'agreement_iou_thr': 1.5}, {'iou_thr': -1}, {'sharpness': -1}]
)
def test_arguments_out_of_range_are_told(arguments: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f'^step.{next(iter(arguments))}: '):
        built(AgreementWeightedFusion, **arguments)


def _asked_of_half(pool: Pool, name: str) -> Pool:
    """Return a pool in which one teacher did not predict on every other image."""
    absent = Detections(asked=False)
    return [
        ({**each, name: absent} if number % 2 else each, at)
        for number, (each, at) in enumerate(pool)
    ]


def test_a_teacher_that_did_not_predict_on_half_of_the_images_keeps_its_voice() -> None:
    pool = _asked_of_half(world().pool, 'b')
    silent = [({**each, 'b': each['b'] if each['b'].asked else Detections()}, at)
              for each, at in pool]  # fmt: skip
    assert weights_of(pool, sharpness=3)['b'] > 0.7
    assert weights_of(silent, sharpness=3)['b'] < 0.5


def test_boxes_are_not_held_against_a_teacher_that_did_not_predict() -> None:
    there = scene()
    space = there.class_space
    box = Detections.from_arrays([[10, 10, 60, 60]], [0.9], [0])
    edges, ratios = np.ones((3, 1)), np.full((3, 3, 2, 2, 2), -1.0)

    def evidence(b: Detections) -> list[float]:
        pool = PoolArrays.of_image({'a': box, 'b': b, 'c': box}, space)
        found: list[float] = evidence_ratios(pool, edges, ratios, 0.55)[0, 0].tolist()
        return found

    assert evidence(Detections())[1] < 0
    assert evidence(Detections(asked=False))[1] == 0


def test_of_two_owners_that_contradict_each_other_both_are_trusted() -> None:
    pool = world({'a': ['person', 'cat'], 'b': ['person', 'cat']}, spoiled='b').pool
    fusion = AgreementWeightedFusion()
    fit(fusion, pool)
    assert not fusion.learned
    assert not fusion.describe_learned()
    plain = WeightedBoxesFusion(iou_thr=0.7)
    for each in pool[:20]:
        assert rows(apply(fusion, *each)[FUSED]) == rows(apply(plain, *each)[FUSED])


def test_the_order_of_the_pool_teaches_nothing() -> None:
    pool = [
        (said, at._replace(image=replace(at.image, key=str(n))))
        for n, (said, at) in enumerate(world(spoiled='b').pool)
    ]
    step, other = AgreementWeightedFusion(), AgreementWeightedFusion()
    # As in a video, whose frames beside each other show the same.
    fit(step, sorted(pool, key=lambda each: float(each[0]['a'].scores.sum())))
    fit(other, pool)
    assert step.learned == other.learned != {}


def test_which_of_boxes_in_one_place_agrees_does_not_depend_on_their_order() -> None:
    rng = np.random.default_rng(0)
    pool = []
    for number in range(40):
        said = {
            name: found(*[([10, 10, 60, 60], score, 0) for score in rng.uniform(0.1, 0.9, 3)])
            for name in ALIKE
        }
        pool.append((said, scene(ALIKE, key=str(number))))
    turned = [({name: its[::-1] for name, its in said.items()}, at) for said, at in pool]
    assert weights_of(turned) == pytest.approx(weights_of(pool), abs=1e-3)
