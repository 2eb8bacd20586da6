"""Tests of how much each pseudo-label counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcompose.labeling import BoxWeights, LabelPipeline
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import QUICK, apply, built, found, scene, teacher_detections

# 'cat' has two owners of the three teachers, 'person' three, 'sofa' one.
FUSED = replace(
    found(([0, 0, 9, 9], 0.8, 0), ([20, 0, 29, 9], 0.5, 1), ([40, 0, 49, 9], 0.2, 2)),
    votes=np.array([[True, False, True], [True, False, False], [False, True, False]]),
    spread=np.array([0.0, 0.25, 0.5], np.float32),
)
CLASSES = ['person', 'cat', 'sofa']


def _weights(found: Detections = FUSED, **arguments: Any) -> list[float]:
    step = BoxWeights(**arguments)
    weighed = apply(step, {'fused': found}, scene(classes=CLASSES, on_unmapped='drop'))['fused']
    assert weighed.weights is not None and weighed.weights.dtype == np.float32
    return [round(weight, 6) for weight in weighed.weights.tolist()]


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        ({}, [0.8, 0.5, 0.2]),
        ({'by': 'votes'}, [0.666667, 0.5, 1.0]),
        ({'by': 'spread'}, [1.0, 0.75, 0.5]),
        ({'by': ['score', 'spread']}, [0.8, 0.375, 0.1]),
        ({'power': 2}, [0.64, 0.25, 0.04]),
        ({'lowest': 0.5}, [0.9, 0.75, 0.6]),
    ],
)
def test_a_box_counts_as_far_as_it_is_to_be_trusted(
    arguments: dict[str, Any], expected: list[float]
) -> None:
    assert _weights(**arguments) == expected


@pytest.mark.parametrize('by', ['votes', 'spread'])
def test_what_a_fusion_knows_needs_a_fusion(by: str) -> None:
    with pytest.raises(UserError, match='put BoxWeights after it'):
        _weights(found(([0, 0, 9, 9], 0.5, 0)), by=by)


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ({'by': 'scores'}, "by: 'scores' is not 'score' or .*did you mean 'score'"),
        ({'by': []}, 'by: .* is not one of'),
        ({'power': 0}, 'power: 0 '),
        ({'lowest': 1.5}, 'lowest: 1.5 '),
    ],
)
def test_a_wrong_argument_is_told(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        built(BoxWeights, **arguments)


@QUICK
@given(image=teacher_detections(), power=st.floats(0.1, 4), lowest=st.floats(0, 1))
def test_weights_are_between_the_lowest_and_one(image: Any, power: float, lowest: float) -> None:
    weigh = {'type': 'mmcompose.BoxWeights', 'by': ['score', 'votes', 'spread'],
             'power': power, 'lowest': lowest}  # fmt: skip
    pipeline = LabelPipeline([{'type': 'mmcompose.WeightedBoxesFusion'}, weigh])
    weights = apply(pipeline, image, scene()).weights
    assert weights is not None
    assert ((weights >= np.float32(lowest) - 1e-6) & (weights <= 1 + 1e-6)).all()
