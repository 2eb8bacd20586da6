"""A teacher that was not asked about a picture does not vote there; one that found nothing does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import FUSED, ImageContext
from mmcompose.registry import LABEL_TRANSFORMS, build
from mmcompose.structures import Detections

SPACE = ClassSpace({'a': ['cat', 'dog'], 'b': ['cat', 'dog'], 'c': ['dog']})
FOUND = Detections.from_arrays([[10, 10, 50, 40]], [0.8], [0])
NOTHING, NOT_ASKED = Detections(), Detections(asked=False)


def _fused(kind: str, b: Detections) -> Detections:
    step: Any = build(LABEL_TRANSFORMS, {'type': f'mmcompose.{kind}'}, 'step')
    step.bind(SPACE, np.ones(3))
    found: Detections = step.apply(
        {'a': FOUND, 'b': b, 'c': NOTHING}, ImageContext('1.jpg', 100, 80)
    )[FUSED]
    return found


def test_silence_halves_a_score_and_absence_does_not() -> None:
    assert _fused('WeightedBoxesFusion', NOTHING).scores.tolist() == [pytest.approx(0.4)]
    assert _fused('WeightedBoxesFusion', NOT_ASKED).scores.tolist() == [pytest.approx(0.8)]


@pytest.mark.parametrize('kind', ['WeightedBoxesFusion', 'NMS', 'NonMaximumWeighted', 'SoftNMS'])
def test_a_box_of_the_only_one_asked_stays(kind: str) -> None:
    fused = _fused(kind, NOT_ASKED)
    np.testing.assert_allclose(fused.boxes, [[10, 10, 50, 40]], rtol=1e-5)
    assert fused.votes is not None and fused.votes.tolist() == [[True, False, False]]


def test_not_to_be_asked_stays_with_selected_boxes() -> None:
    assert not NOT_ASKED[np.zeros(0, bool)].asked
    assert not SPACE.convert('b', NOT_ASKED).asked
