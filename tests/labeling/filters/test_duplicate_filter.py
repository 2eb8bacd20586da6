"""What is found twice."""

from __future__ import annotations

import numpy as np
import pytest

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import DuplicateFilter, ImageContext, LabelPipeline
from tests.labeling.toys import found


@pytest.mark.parametrize(
    ('second', 'kept'),
    [
        pytest.param(([0, 0, 10, 9], 0.5, 0), [0.9], id='the same object'),
        pytest.param(([0, 0, 10, 9], 0.5, 1), [0.9, 0.5], id='another class'),
        pytest.param(([0, 0, 10, 4], 0.5, 0), [0.9, 0.5], id='too little in common'),
    ],
)
def test_the_better_of_two_stays(second: tuple[list[int], float, int], kept: list[float]) -> None:
    boxes = found(second, ([0, 0, 10, 10], 0.9, 0))
    made = DuplicateFilter().apply({'a': boxes}, ImageContext('', 20, 20))['a']
    np.testing.assert_allclose(made.scores, kept)


def test_labels_lose_the_worse_of_two_boxes_and_detectors_are_compared_with_both() -> None:
    once = {'type': 'mmcompose.DuplicateFilter', 'selects': True}
    pipeline = LabelPipeline([{'type': 'mmcompose.Concatenate'}, once])
    boxes = found(([0, 0, 10, 9], 0.5, 0), ([0, 0, 10, 10], 0.9, 0))
    space = ClassSpace({'a': ['cat']}, ['cat'])
    counts = [
        len(each.bind(space, np.ones(1)).apply({'a': boxes}, ImageContext('', 20, 20)))
        for each in (pipeline, pipeline.without_bands())
    ]
    assert counts == [1, 2]
