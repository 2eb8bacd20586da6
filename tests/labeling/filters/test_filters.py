"""The filters that learn nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmcompose.labeling import (
    FUSED,
    AgreementFilter,
    BoxSizeFilter,
    LabelTransform,
    ScoreFilter,
    TopK,
)
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import HEIGHT, WIDTH, apply, bind, built, found, scene

PERSON, CAT, SOFA, DOG = range(4)


def after(step: LabelTransform, boxes: Detections, teacher: str = FUSED) -> Detections:
    return apply(step, {teacher: boxes}, scene())[teacher]


@pytest.mark.parametrize(
    ('arguments', 'teacher', 'label', 'threshold'),
    [
        ({'min_score': 0.5}, 'a', PERSON, 0.5),
        ({'min_score': 0.5, 'per_class': {'cat': 0.7}}, 'a', CAT, 0.7),
        ({'min_score': 0.5, 'per_class': {'cat': 0.7}}, 'a', PERSON, 0.5),
        ({'min_score': 0.5, 'per_class': {'cat': 0.7}, 'per_teacher': {'a': 0.1}}, 'a', CAT, 0.1),
        ({'per_class': {'cat': 0.7}, 'per_teacher': {'a': 0.1}}, 'b', CAT, 0.7),
        ({'per_class': {'cat': 0.7}, 'per_teacher': {'a': {'person': 0.1}}}, 'a', PERSON, 0.1),
        ({'per_class': {'cat': 0.7}, 'per_teacher': {'a': {'person': 0.1}}}, 'a', CAT, 0.7),
        ({'min_score': 0.3, 'per_teacher': {'fused': {'cat': 0.7}}}, FUSED, CAT, 0.7),
    ],
)
def test_the_most_particular_score_wins(
    arguments: dict[str, Any], teacher: str, label: int, threshold: float
) -> None:
    step = ScoreFilter(**arguments)
    bind(step, scene())
    below, at = np.nextafter(np.float32(threshold), np.float32(0)), np.float32(threshold)
    result = after(step, found(([0, 0, 9, 9], below, label), ([0, 0, 8, 8], at, label)), teacher)
    assert result.scores.tolist() == [at]


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ({'min_score': 2}, r'^step.min_score: 2 is not in \[0, 1\]'),
        ({'min_score': '0.5'}, "^step.min_score: '0.5'"),
        ({'per_class': {'cat': -1}}, '^step.per_class.cat: -1'),
        ({'per_class': 0.5}, '^step.per_class: 0.5 is not a dict'),
        ({'per_teacher': {'a': 3}}, '^step.per_teacher.a: 3'),
        ({'per_teacher': {'a': {'cat': 3}}}, '^step.per_teacher.a.cat: 3'),
    ],
)
def test_wrong_scores(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        built(ScoreFilter, **arguments)


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ({'per_class': {'catt': 0.5}}, "^per_class: 'catt' .*did you mean 'cat'"),
        ({'per_teacher': {'aa': 0.5}}, "^per_teacher: 'aa' is not a teacher; did you mean 'a'"),
        ({'per_teacher': {'a': {'catt': 0.5}}}, "^per_teacher.a: 'catt'"),
    ],
)
def test_scores_of_strangers(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        bind(ScoreFilter(**arguments), scene())


@pytest.mark.parametrize(
    ('number_for', 'speaks', 'told'),
    [
        ('a', FUSED, "^per_teacher: 'a' is fused by now"),
        (FUSED, 'a', "^per_teacher: 'fused' is there only after a fusion"),
    ],
)
def test_a_number_for_who_does_not_speak_there(number_for: str, speaks: str, told: str) -> None:
    step = ScoreFilter(per_teacher={number_for: 0.5})
    with pytest.raises(UserError, match=told):
        after(step, found(([0, 0, 9, 9], 0.1, CAT)), speaks)


@pytest.mark.parametrize(('per_class', 'kept'), [(False, [0.9, 0.8]), (True, [0.9, 0.8, 0.5, 0.4])])
def test_top_k(per_class: bool, kept: list[float]) -> None:
    boxes = found(
        *(
            ([i, 0, i + 9, 9], score, label)
            for i, (score, label) in enumerate(
                [(0.4, CAT), (0.9, PERSON), (0.7, PERSON), (0.5, CAT), (0.8, PERSON)]
            )
        )
    )
    assert after(TopK(2, per_class), boxes).scores.tolist() == pytest.approx(kept)


@pytest.mark.parametrize(
    ('arguments', 'box', 'stays'),
    [
        ({}, [0, 0, 1, 1], True),
        ({'min_side': 8}, [0, 0, 8, 50], True),
        ({'min_side': 8}, [0, 0, 7, 50], False),
        # Measured inside the image.
        ({'min_side': 8}, [-20, 0, 7, 50], False),
        ({'min_area': 0.01}, [0, 0, 20, 10], True),
        ({'min_area': 0.01}, [0, 0, 20, 9], False),
        ({'max_area': 0.9}, [0, 0, WIDTH, HEIGHT], False),
        ({'max_aspect': 4}, [0, 0, 40, 10], True),
        ({'max_aspect': 4}, [0, 0, 10, 41], False),
    ],
)
def test_box_sizes(arguments: dict[str, Any], box: list[float], stays: bool) -> None:
    assert len(after(BoxSizeFilter(**arguments), found((box, 0.5, CAT)))) == stays


@pytest.mark.parametrize(
    ('arguments', 'label', 'votes', 'stays'),
    [
        # b, a and c know persons, b and a cats, a alone sofas.
        ({}, PERSON, [1, 1, 0], True),
        ({}, PERSON, [1, 0, 0], False),
        ({}, SOFA, [0, 1, 0], True),
        ({'min_votes': 3}, PERSON, [1, 1, 0], False),
        ({'min_votes': 3}, CAT, [1, 1, 0], True),
        ({'min_votes': 3}, CAT, [1, 0, 0], False),
        ({'min_votes': 3, 'sure_score': 0.5}, CAT, [1, 0, 0], True),
        ({'min_votes': 3, 'sure_score': 0.6}, CAT, [1, 0, 0], False),
    ],
)
def test_agreement_among_owners(
    arguments: dict[str, Any], label: int, votes: list[int], stays: bool
) -> None:
    box = replace(found(([0, 0, 9, 9], 0.5, label)), votes=np.array([votes], bool))
    assert len(after(AgreementFilter(**arguments), box)) == stays


def test_agreement_needs_a_fusion() -> None:
    with pytest.raises(UserError, match=r'^type: .*after a fusion'):
        after(AgreementFilter(), found(([0, 0, 9, 9], 0.5, CAT)), 'a')


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ({'kind': TopK, 'k': 0}, '^step.k: 0'),
        ({'kind': TopK, 'k': 1.5}, '^step.k: 1.5'),
        ({'kind': BoxSizeFilter, 'min_side': -1}, '^step.min_side: -1'),
        (
            {'kind': BoxSizeFilter, 'min_area': 0.5, 'max_area': 0.4},
            '^step.min_area: 0.5 is above',
        ),
        ({'kind': BoxSizeFilter, 'max_aspect': 0.5}, '^step.max_aspect: 0.5'),
        ({'kind': AgreementFilter, 'min_votes': 0}, '^step.min_votes: 0'),
        ({'kind': AgreementFilter, 'sure_score': 2}, '^step.sure_score: 2'),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        built(**arguments)


def test_a_class_of_two_names_has_one_score() -> None:
    at = scene({'a': ['cat', 'tv']}, aliases=[{'tv': ['tvmonitor']}])
    with pytest.raises(UserError, match=r"^per_class: 'tvmonitor' is the class of 'tv', too"):
        bind(ScoreFilter(per_class={'tv': 0.1, 'tvmonitor': 0.9}), at)
