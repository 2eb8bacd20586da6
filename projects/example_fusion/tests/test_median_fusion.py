"""The example fusion, built through the registry as a config would."""

import example_fusion  # noqa: F401, registers it
import numpy as np
import pytest

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import ImageContext, LabelPipeline
from mmcompose.structures import Detections


def test_one_bad_box_of_three_moves_nothing() -> None:
    space = ClassSpace({name: ['cat', 'dog'] for name in 'abc'})
    pipeline = LabelPipeline([{'type': 'MedianFusion', 'iou_thr': 0.5}])
    pipeline = pipeline.bind(space, np.ones(3))
    lefts = {'a': (0, 0.5), 'b': (0, 0.6), 'c': (9, 0.9)}
    image = {
        name: Detections.from_arrays([[left, 0, 40, 30], [50, 0, 60, 9]], [score, 0.2], [0, 1])
        for name, (left, score) in lefts.items()
    }
    fused = pipeline.apply(image, ImageContext('x.jpg', 100, 50))
    np.testing.assert_allclose(fused.boxes, [[0, 0, 40, 30], [50, 0, 60, 9]], atol=1e-4)
    assert fused.scores.tolist() == pytest.approx([0.9, 0.2])
    assert fused.votes is not None and fused.votes.all()
