"""The example filter, built through the registry as a config would."""

import example_filter  # noqa: F401, registers it
import numpy as np
import pytest

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import ImageContext, LabelPipeline
from mmcompose.structures import Detections
from mmcompose.utils import UserError


def test_unsure_boxes_at_the_border_go() -> None:
    pipeline = LabelPipeline([{'type': 'BorderFilter', 'min_score': 0.6}])
    pipeline = pipeline.bind(ClassSpace({'a': ['cat']}), np.ones(1))
    boxes = [[0, 5, 9, 9], [5, 5, 9, 9], [5, 5, 40, 9], [5, 0, 9, 30]]
    found = Detections.from_arrays(boxes, [0.5, 0.1, 0.2, 0.6], [0] * 4)
    kept = pipeline.apply({'a': found}, ImageContext('x.jpg', 40, 30))
    assert kept.boxes.tolist() == [boxes[1], boxes[3]]


def test_a_mistake_is_told_with_its_key() -> None:
    with pytest.raises(UserError, match=r'label_pipeline\[0\]\.min_score: 2 is not in \[0, 1\]'):
        LabelPipeline([{'type': 'BorderFilter', 'min_score': 2}])
