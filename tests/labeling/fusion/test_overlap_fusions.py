"""NMS, SoftNMS, NonMaximumWeighted and Concatenate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmcompose.labeling import FUSED, NMS, Concatenate, NonMaximumWeighted, SoftNMS
from mmcompose.labeling.base import LabelTransform
from mmcompose.labeling.fusion.overlap_fusion import Floats, OverlapFusion
from mmcompose.structures import Detections, iou
from mmcompose.utils import UserError
from tests.labeling.toys import apply, built, found, scene

TWO = [[0, 0, 50, 50], [0, 0, 50, 40]]
IMAGE = {
    'a': found((TWO[0], 0.6, 0), ([0, 0, 50, 50], 0.5, 2)),
    'b': found((TWO[1], 0.8, 0)),
    'c': found(([100, 0, 150, 50], 0.4, 0)),
}
# A nonsense picture: no area, outside, a zero score.
ODD = {
    'a': found(([9, 9, 9, 9], 0.6, 0), ([-9, -9, 0, 0], 0.5, 0), ([0, 0, 9, 9], 0.0, 0)),
    'b': found(),
    'c': found(),
}


def fused(step: LabelTransform, image: dict[str, Detections] = IMAGE, **kwargs: Any) -> Detections:
    return apply(step, image, scene(**kwargs))[FUSED]


def test_nms_keeps_the_best_and_counts_the_votes() -> None:
    result = fused(NMS(iou_thr=0.5))
    # No score is divided among teachers: a sofa, which one of three knows, keeps its 0.5.
    assert result.scores.tolist() == pytest.approx([0.8, 0.5, 0.4])
    assert result.labels.tolist() == [0, 2, 0]
    np.testing.assert_array_equal(result.boxes[0], TWO[1])
    assert result.votes.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert result.cluster_size.tolist() == [2, 1, 1]
    assert result.best_score.tolist() == pytest.approx([0.8, 0.5, 0.4])
    assert result.spread.tolist() == pytest.approx([0.1, 0, 0])


def test_a_heavier_teacher_wins_among_owners_alone() -> None:
    result = fused(NMS(iou_thr=0.5, weights={'a': 2.0}))
    # a's box of 0.6 beats b's of 0.8, which counts half; sofas have one owner.
    np.testing.assert_array_equal(result.boxes[0], TWO[0])
    assert result.scores.tolist() == pytest.approx([0.6, 0.5, 0.2])


@pytest.mark.parametrize('fusion', [NMS, SoftNMS, NonMaximumWeighted])
def test_the_weight_of_who_does_not_know_a_class_takes_nothing_from_it(
    fusion: type[OverlapFusion],
) -> None:
    result = fused(fusion(iou_thr=0.5, weights={'b': 3.0}))
    # Teacher b, which knows no sofa, weighs three times as much as a, which does.
    assert result.scores[result.labels == 2] == pytest.approx([0.5])


class Broken(OverlapFusion):
    """A function of the package that keeps no promise."""

    def __init__(self, boxes: float = 0.5, scores: float = 0.5, count: int = 1) -> None:
        super().__init__()
        self.made = np.tile([0, 0, boxes, 1], (count, 1)), np.full(count, scores)

    def choose(self, boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
        return self.made


@pytest.mark.parametrize(
    'broken',
    [{'boxes': np.nan}, {'boxes': 1.1}, {'scores': 1.1}, {'scores': np.nan}, {'count': 4}],
    ids=str,
)
def test_what_the_package_gives_back_is_checked(broken: dict[str, Any]) -> None:
    assert len(fused(Broken())) == 2
    with pytest.raises(AssertionError):
        fused(Broken(**broken))


@pytest.mark.parametrize('step', [NMS(), SoftNMS(), NonMaximumWeighted(), Concatenate()])
def test_types_are_those_of_detections(step: LabelTransform) -> None:
    result = fused(step)
    assert (result.boxes.dtype, result.scores.dtype) == (np.float32, np.float32)
    assert result.labels.dtype == np.int64
    assert result.votes is not None and result.votes.dtype == np.bool_


@pytest.mark.parametrize('method', ['linear', 'gaussian'])
def test_soft_nms_lowers_scores(method: str) -> None:
    result = fused(SoftNMS(iou_thr=0.5, method=method, sigma=0.5))
    factor = 1 - 0.8 if method == 'linear' else np.exp(-0.8 * 0.8 / 0.5)
    people = result.scores[result.labels == 0]
    assert sorted(people.tolist()) == pytest.approx(sorted([0.8, 0.6 * factor, 0.4]))
    assert result.votes[:, 1].sum() == 3


def test_soft_nms_drops_what_falls_too_low() -> None:
    result = fused(SoftNMS(iou_thr=0.5, method='linear', min_score=0.3))
    assert sorted(result.scores[result.labels == 0].tolist()) == pytest.approx([0.4, 0.8])


def test_non_maximum_weighted_averages_boxes() -> None:
    result = fused(NonMaximumWeighted(iou_thr=0.5))
    assert result.scores.tolist() == pytest.approx([0.8, 0.5, 0.4])
    overlap = iou(np.array([TWO[0]]), np.array([TWO[1]]))[0, 0]
    expected = (0.8 * 40 + 0.6 * overlap * 50) / (0.8 + 0.6 * overlap)
    assert result.boxes[0].tolist() == pytest.approx([0, 0, 50, expected])
    assert result.votes[0].tolist() == [True, True, False]


def test_concatenate_keeps_every_box_with_one_vote() -> None:
    result = fused(Concatenate())
    assert result.scores.tolist() == pytest.approx([0.8, 0.6, 0.5, 0.4])
    assert result.votes.sum(axis=1).tolist() == [1, 1, 1, 1]
    assert result.votes[:, 1].tolist() == [False, True, True, False]


@pytest.mark.parametrize('step', [NMS(), SoftNMS(), NonMaximumWeighted()])
def test_what_makes_ensemble_boxes_print_or_exit(
    step: LabelTransform, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    assert len(fused(step, ODD)) == 0
    outside = {'a': found(([-30, -30, 60, 500], 0.5, 0)), 'b': found(), 'c': found()}
    assert fused(step, outside).boxes == pytest.approx(np.array([[0, 0, 60, 100]]))
    assert capsys.readouterr().out == ''
    assert not recwarn.list


def test_spelled_out_mistakes() -> None:
    for arguments, told in (
        ({'method': 'gauss'}, "^step.method: 'gauss' .*did you mean 'gaussian'"),
        ({'sigma': 0}, '^step.sigma: 0'),
        ({'iou_thr': 2}, '^step.iou_thr: 2'),
        ({'min_score': 2}, '^step.min_score: 2'),
    ):
        with pytest.raises(UserError, match=told):
            built(SoftNMS, **arguments)
