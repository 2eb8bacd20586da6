"""The example calibration, named by `method` as a config would."""

import example_calibration  # noqa: F401, registers it
import numpy as np
import pytest

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import ImageContext, LabelPipeline
from mmcompose.structures import Detections
from mmcompose.utils import UserError

STEP = {'type': 'ScoreCalibration', 'method': 'temperature'}
BOX, ELSEWHERE = [0, 0, 20, 20], [30, 0, 50, 20]


def test_an_overconfident_teacher_is_cooled() -> None:
    rng = np.random.default_rng(0)
    truth = Detections.from_arrays([BOX], [1], [0])
    images = []
    for number in range(400):
        chance = rng.uniform(0.1, 0.9)
        box = BOX if rng.uniform() < chance else ELSEWHERE
        score = 1 / (1 + (1 / chance - 1) ** 2)
        found = Detections.from_arrays([box], [score], [0])
        images.append(({'a': found}, ImageContext(str(number), 100, 50, truth)))
    pipeline = LabelPipeline([STEP]).bind(ClassSpace({'a': ['cat']}), np.ones(1))
    pipeline = pipeline.fit(list, lambda: images)
    scores = np.array([0.1, 0.5, 0.9])
    boxes = Detections.from_arrays([BOX] * 3, scores, [0] * 3)
    after = pipeline.apply({'a': boxes}, ImageContext('', 100, 50)).scores
    assert after == pytest.approx(1 / (1 + (1 / scores - 1) ** 0.5), abs=0.08)


def test_its_arguments_are_checked() -> None:
    with pytest.raises(UserError, match=r"'min_box' is not a key .*did you mean 'min_boxes'"):
        LabelPipeline([{**STEP, 'min_box': 3}])
