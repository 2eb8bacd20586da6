"""ResolveHierarchy: coarse boxes support finer ones and never contradict them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcompose.labeling import ByTeacher, LabelPipeline, ResolveHierarchy
from mmcompose.labeling.compute.weighted_boxes_kernel import CONF_TYPES
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import QUICK, apply, bind, built, detections, found, scene

TEACHERS = {
    'fine': ['cat', 'dog'],
    'coarse': ['animal'],
    'coarser': ['living'],
}
CAT, DOG, ANIMAL, LIVING = range(4)
OF = scene(TEACHERS, hierarchy={'animal': ['cat', 'dog'], 'living': ['animal']})
HERE, SAME, FAR = [0, 0, 50, 50], [2, 0, 50, 50], [100, 0, 150, 50]
STEPS = [{'type': 'mmcompose.ResolveHierarchy'}, {'type': 'mmcompose.WeightedBoxesFusion'}]
PIPELINE = LabelPipeline(STEPS)


def predicted(
    fine: Detections | None = None,
    coarse: Detections | None = None,
    coarser: Detections | None = None,
) -> ByTeacher:
    nothing = Detections()
    return {'fine': fine or nothing, 'coarse': coarse or nothing, 'coarser': coarser or nothing}


FUSIONS: list[dict[str, Any]] = [
    *({'type': 'mmcompose.WeightedBoxesFusion', 'conf_type': each} for each in CONF_TYPES),
    {'type': 'mmcompose.WeightedBoxesFusion', 'allows_overflow': True},
    {'type': 'mmcompose.WeightedBoxesFusion', 'iou_thr': 0.8},
    {'type': 'mmcompose.NMS'},
    {'type': 'mmcompose.SoftNMS'},
    {'type': 'mmcompose.NonMaximumWeighted'},
]
THREE = {'fine': ['cat', 'dog'], 'other': ['dog', 'cat'], 'dogs': ['dog'], 'coarse': ['animal']}
WEIGHTS = st.lists(st.sampled_from([0.2, 1.0, 5.0]), min_size=4, max_size=4)


@pytest.mark.parametrize('fusion', FUSIONS, ids=lambda fusion: '-'.join(map(str, fusion.values())))
@QUICK
@given(data=st.data(), weights=WEIGHTS)
def test_who_knows_only_the_coarse_class_never_lowers_a_score_and_makes_no_finer_box(
    fusion: dict[str, Any], data: st.DataObject, weights: list[float]
) -> None:
    of = scene(THREE, weights=weights, hierarchy={'animal': ['cat', 'dog']})
    pipeline = LabelPipeline([STEPS[0], fusion])
    image = {name: data.draw(detections([CAT, DOG])) for name in ('fine', 'other')}
    image |= {'dogs': data.draw(detections([DOG])), 'coarse': data.draw(detections([ANIMAL]))}
    alone = apply(pipeline, {**image, 'coarse': Detections()}, of)
    supported = apply(pipeline, image, of)
    for label in (CAT, DOG):
        before, after = (np.sort(made.scores[made.labels == label]) for made in (alone, supported))
        assert len(after) == len(before)
        assert (after >= before - 1e-6).all()


@pytest.mark.parametrize('place', [HERE, FAR])
def test_two_dogs_of_their_one_owner_stay_two_wherever_a_coarse_box_is(place: list[int]) -> None:
    dogs = found((HERE, 0.9, DOG), ([0, 0, 50, 32], 0.3, DOG))
    result = apply(PIPELINE, predicted(dogs, found((place, 0.2, ANIMAL))), OF)
    assert result.scores[result.labels == DOG] == pytest.approx([0.9, 0.3])


def test_a_coarse_box_supports_the_dog_that_it_was_resolved_to_and_no_other() -> None:
    """It lies better on the second dog, but was resolved to the best above the threshold."""
    lower = [0, 0, 50, 32]
    dogs = found((HERE, 0.9, DOG), (lower, 0.3, DOG))
    result = apply(PIPELINE, predicted(dogs, found((lower, 0.2, ANIMAL))), OF)
    assert result.scores == pytest.approx([0.9, 0.3])
    assert result.votes is not None and result.votes[:, 1].tolist() == [True, False]


def test_a_vote_whose_box_is_skipped_joins_no_other() -> None:
    beside = [48, 0, 98, 50]
    image = predicted(found((HERE, 0.04, DOG), (beside, 0.5, DOG)), found((HERE, 0.9, ANIMAL)))
    # The vote itself scores 0.9, and its dog is below the threshold of the fusion.
    fusion = {'type': 'mmcompose.WeightedBoxesFusion', 'skip_box_thr': 0.05}
    result = apply(LabelPipeline([STEPS[0], fusion]), image, OF)
    assert result.boxes.tolist() == [pytest.approx(beside)]
    assert result.scores == pytest.approx([0.5])


@pytest.mark.parametrize(
    'fusion',
    [*FUSIONS, {'type': 'mmcompose.Concatenate'}],
    ids=lambda fusion: '-'.join(map(str, fusion.values())),
)
def test_who_knows_both_classes_makes_no_second_dog_of_its_animal(fusion: dict[str, Any]) -> None:
    space = scene({'a': ['animal', 'dog'], 'b': ['dog']}, hierarchy={'animal': ['dog']})
    image = {'a': found((HERE, 0.9, 0)), 'b': found(([0, 0, 50, 30], 0.6, 1))}
    result = apply(LabelPipeline([STEPS[0], fusion]), image, space)
    assert set(result.labels.tolist()) == {1}
    assert len({tuple(box) for box in result.boxes.round(2).tolist()}) == 1
    assert result.scores.max() >= 0.6


def test_support_goes_down_all_steps() -> None:
    """The coarsest lies on the coarse one alone, which lies on the dog."""
    coarse, coarser = [0, 0, 50, 70], [0, 0, 50, 110]
    image = predicted(
        found((HERE, 0.6, DOG)), found((coarse, 0.6, ANIMAL)), found((coarser, 0.9, LIVING))
    )
    result = apply(PIPELINE, image, OF)
    assert result.labels.tolist() == [DOG]
    assert result.votes is not None and result.votes.tolist() == [[True, True, True]]


@pytest.mark.parametrize('fusion', FUSIONS[-4:], ids=lambda fusion: fusion['type'])
def test_what_lies_on_a_finer_box_is_no_second_one_of_it(fusion: dict[str, Any]) -> None:
    """The IoU of 0.6 is enough to support, though too little for the stricter fusion."""
    image = predicted(found((HERE, 0.6, DOG)), found(([0, 0, 50, 30], 0.9, ANIMAL)))
    result = apply(LabelPipeline([STEPS[0], fusion]), image, OF)
    assert result.labels.tolist() == [DOG]
    assert result.votes is not None and result.votes.tolist() == [[True, True, False]]
    assert result.scores >= 0.6


@pytest.mark.parametrize('score', [0.3, 0.9])
def test_a_coarse_box_supports_a_finer_one(score: float) -> None:
    result = apply(PIPELINE, predicted(found((HERE, 0.6, DOG)), found((SAME, score, ANIMAL))), OF)
    assert result.labels.tolist() == [DOG]
    assert result.votes is not None and result.votes.tolist() == [[True, True, False]]
    # Support may raise a score; it never lowers one.
    assert result.scores == pytest.approx([0.6 if score < 0.6 else 0.75])


def test_silence_of_a_coarse_teacher_contradicts_nothing() -> None:
    result = apply(PIPELINE, predicted(found((HERE, 0.6, DOG))), OF)
    assert result.scores == pytest.approx([0.6])


def test_what_no_finer_teacher_claims_stays_coarse() -> None:
    result = apply(PIPELINE, predicted(found((FAR, 0.6, DOG)), found((HERE, 0.8, ANIMAL))), OF)
    assert sorted(zip(result.labels.tolist(), result.scores.tolist(), strict=True)) == [
        (DOG, pytest.approx(0.6)),
        (ANIMAL, pytest.approx(0.8)),
    ]


def test_the_finest_class_wins_then_the_best_box() -> None:
    fine = found((HERE, 0.5, DOG), (SAME, 0.6, CAT))
    image = predicted(fine, found((HERE, 0.9, ANIMAL)), found((HERE, 0.7, LIVING)))
    resolved = apply(ResolveHierarchy(), image, OF)
    assert resolved['fine'].labels.tolist() == [DOG, CAT]
    assert resolved['coarse'].labels.tolist() == [CAT]
    assert resolved['coarser'].labels.tolist() == [CAT]
    without = apply(ResolveHierarchy(), predicted(None, image['coarse'], image['coarser']), OF)
    assert without['coarser'].labels.tolist() == [ANIMAL]


def test_a_teachers_own_finer_box_is_no_support() -> None:
    space = scene({'both': ['animal', 'dog']}, hierarchy={'animal': ['dog']})
    image = {'both': found((HERE, 0.5, 0), (HERE, 0.6, 1))}
    assert apply(ResolveHierarchy(), image, space)['both'].labels.tolist() == [0, 1]


LACKING = scene(
    TEACHERS,
    classes=['cat', 'dog'],
    hierarchy={'animal': ['cat', 'dog'], 'living': ['animal']},
)


@pytest.mark.parametrize(
    ('fine', 'coarse', 'coarser', 'expected'),
    [
        # Support counts as a vote, and may raise a score.
        ([(HERE, 0.6, DOG)], [(SAME, 0.9, ANIMAL)], [], [(DOG, 0.75, [True, True, False])]),
        ([(HERE, 0.6, DOG)], [(SAME, 0.3, ANIMAL)], [], [(DOG, 0.6, [True, True, False])]),
        # From two steps above, too.
        ([(HERE, 0.6, CAT)], [], [(SAME, 0.9, LIVING)], [(CAT, 0.75, [True, False, True])]),
        # Silence, and a box elsewhere, contradict nothing; what nobody claims is dropped.
        ([(HERE, 0.6, DOG)], [], [], [(DOG, 0.6, [True, False, False])]),
        ([(HERE, 0.6, DOG)], [(FAR, 0.9, ANIMAL)], [], [(DOG, 0.6, [True, False, False])]),
        ([], [(HERE, 0.9, ANIMAL)], [(HERE, 0.9, LIVING)], []),
    ],
)
def test_a_coarse_class_that_the_student_lacks_only_supports(
    fine: list[Any], coarse: list[Any], coarser: list[Any], expected: list[Any]
) -> None:
    of = LACKING._replace(class_space=LACKING.class_space.with_coarse)
    # A step in between that looks thresholds up by class.
    between = {'type': 'mmcompose.ScoreFilter', 'min_score': 0.1}
    pipeline = LabelPipeline([between, *STEPS])
    result = apply(pipeline, predicted(found(*fine), found(*coarse), found(*coarser)), of)
    rows = zip(result.labels.tolist(), result.scores.tolist(), result.votes.tolist(), strict=True)
    assert list(rows) == [(label, pytest.approx(score), votes) for label, score, votes in expected]


def test_a_hierarchy_that_no_step_uses_is_a_mistake() -> None:
    bind(PIPELINE, OF)
    with pytest.raises(UserError, match=r'^composition.class_space.hierarchy: .*ResolveHierarchy'):
        bind(LabelPipeline(STEPS[1:]), OF)


def test_wrong_arguments() -> None:
    with pytest.raises(
        UserError, match=r'^composition.label_pipeline\[1\].type: .*before a fusion'
    ):
        apply(LabelPipeline(STEPS[::-1]), predicted(), OF)
    with pytest.raises(UserError, match=r'^step.iou_thr: 2'):
        built(ResolveHierarchy, iou_thr=2)
