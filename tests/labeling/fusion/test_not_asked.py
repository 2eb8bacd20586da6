"""A teacher that was not asked about a picture does not vote there; one that found nothing does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import FUSED, ImageContext, LabelPipeline
from mmcompose.registry import LABEL_TRANSFORMS, build
from mmcompose.structures import Detections

SPACE = ClassSpace({'a': ['cat', 'dog'], 'b': ['cat', 'dog'], 'c': ['dog']})
FOUND = Detections.from_arrays([[10, 10, 50, 40]], [0.8], [0])
NOTHING, NOT_ASKED = Detections(), Detections(asked=False)


def _fused(
    kind: str, b: Detections, a: Detections = FOUND, c: Detections = NOTHING, **arguments: Any
) -> Detections:
    step: Any = build(LABEL_TRANSFORMS, {'type': f'mmcompose.{kind}', **arguments}, 'step')
    step.bind(SPACE, np.ones(3))
    found: Detections = step.apply({'a': a, 'b': b, 'c': c}, ImageContext('1.jpg', 100, 80))[FUSED]
    return found


def test_silence_halves_a_score_and_absence_does_not() -> None:
    assert _fused('WeightedBoxesFusion', NOTHING).scores.tolist() == [pytest.approx(0.4)]
    assert _fused('WeightedBoxesFusion', NOT_ASKED).scores.tolist() == [pytest.approx(0.8)]


@pytest.mark.parametrize('kind', ['WeightedBoxesFusion', 'AgreementWeightedFusion'])
def test_of_the_only_owner_asked_no_boxes_are_fused(kind: str) -> None:
    two = Detections.from_arrays([[0, 0, 50, 50], [0, 0, 50, 40]], [0.9, 0.5], [0, 0])
    assert _fused(kind, NOT_ASKED, two).scores.tolist() == pytest.approx([0.9, 0.5])
    assert len(_fused(kind, NOTHING, two)) == 1


def test_of_the_only_one_asked_boxes_are_fused_where_all_count() -> None:
    two = Detections.from_arrays([[0, 0, 50, 50], [0, 0, 50, 40]], [0.9, 0.5], [0, 0])
    c = Detections(asked=False)
    assert len(_fused('WeightedBoxesFusion', NOT_ASKED, two, c, owners=False)) == 1


@pytest.mark.parametrize('kind', ['WeightedBoxesFusion', 'NMS', 'NonMaximumWeighted', 'SoftNMS'])
def test_a_box_of_the_only_one_asked_stays(kind: str) -> None:
    fused = _fused(kind, NOT_ASKED)
    np.testing.assert_allclose(fused.boxes, [[10, 10, 50, 40]], rtol=1e-5)
    assert fused.votes is not None and fused.votes.tolist() == [[True, False, False]]


@pytest.mark.parametrize(('b', 'left', 'weights'), [(NOT_ASKED, 1, [1.0]), (NOTHING, 0, [0.5])])
@pytest.mark.parametrize('fusion', ['WeightedBoxesFusion', 'NMS', 'Concatenate'])
def test_votes_are_counted_among_owners_that_were_asked(
    fusion: str, b: Detections, left: int, weights: list[float]
) -> None:
    image = {'a': FOUND, 'b': b, 'c': NOTHING}, ImageContext('1.jpg', 100, 80)

    def made(step: dict[str, Any]) -> Detections:
        pipeline = LabelPipeline([{'type': f'mmcompose.{fusion}'}, step])
        return pipeline.bind(SPACE, np.ones(3)).apply(*image)

    assert len(made({'type': 'mmcompose.AgreementFilter'})) == left
    weighed = made({'type': 'mmcompose.BoxWeights', 'by': 'votes'})
    assert weighed.weights is not None and weighed.weights.tolist() == weights


def test_not_to_be_asked_stays_with_selected_boxes() -> None:
    assert not NOT_ASKED[np.zeros(0, bool)].asked
    assert not SPACE.convert('b', NOT_ASKED).asked
