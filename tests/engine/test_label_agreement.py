"""Tests of LabelAgreementHook: labels that the student's average does not find count less."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.logging import MessageHub
from mmengine.structures import InstanceData
from torch import nn

from mmcompose.engine.hooks import LabelAgreementHook
from mmcompose.registry import HOOKS, build
from mmcompose.utils import UserError

FOUND = [10.0, 10.0, 50.0, 50.0]
ELSEWHERE = [60.0, 60.0, 90.0, 90.0]


class Average(nn.Module):
    """Predicts the same of each picture."""

    def __init__(self, *rows: tuple[list[float], float, int]) -> None:
        super().__init__()
        self.found = InstanceData(
            bboxes=torch.tensor([row[0] for row in rows]).reshape(-1, 4),
            scores=torch.tensor([row[1] for row in rows]),
            labels=torch.tensor([row[2] for row in rows], dtype=torch.long),
        )

    def data_preprocessor(self, batch: dict[str, Any]) -> dict[str, Any]:
        return batch

    def predict(self, inputs: Any, data_samples: Any, rescale: bool) -> Any:
        assert not rescale and not self.training
        for sample in data_samples:
            assert 'gt_instances' not in sample
            sample.pred_instances = self.found
        return data_samples


def _sample(boxes: list[list[float]], labels: list[int]) -> DetDataSample:
    sample = DetDataSample()
    sample.gt_instances = InstanceData(
        bboxes=HorizontalBoxes(torch.tensor(boxes).reshape(-1, 4)),
        labels=torch.tensor(labels, dtype=torch.long),
        weights=torch.full((len(boxes),), 0.5),
    )
    sample.ignored_instances = InstanceData(bboxes=HorizontalBoxes(torch.zeros(0, 4)))
    return sample


def _weighed(average: Average, sample: DetDataSample, **settings: Any) -> DetDataSample:
    hook = LabelAgreementHook(**{'begin': 1, 'lowest': 0.2, **settings})
    hook._average = average
    batch = {'inputs': [torch.zeros(3, 100, 100)], 'data_samples': [sample]}
    hook.before_train_iter(SimpleNamespace(iter=5), 0, batch)
    return sample


def test_a_box_that_is_not_found_counts_less() -> None:
    sample = _weighed(Average((FOUND, 0.4, 1)), _sample([FOUND, ELSEWHERE], [1, 1]))
    assert sample.gt_instances.weights.tolist() == pytest.approx([0.5, 0.5 * 0.2])


def test_a_prediction_of_another_class_finds_no_box() -> None:
    sample = _sample([FOUND, ELSEWHERE], [1, 1])
    average = Average((FOUND, 0.4, 1), (ELSEWHERE, 0.9, 2))
    assert _weighed(average, sample).gt_instances.weights[1] == pytest.approx(0.1)


def test_a_class_that_the_student_never_finds_is_left_alone() -> None:
    sample = _weighed(Average((FOUND, 0.4, 1)), _sample([ELSEWHERE], [7]))
    assert sample.gt_instances.weights.tolist() == [0.5]


def test_what_is_found_as_surely_as_labels_are_is_no_background() -> None:
    average = Average((FOUND, 0.4, 1), (ELSEWHERE, 0.4, 1), ([0.0, 60.0, 30.0, 90.0], 0.2, 1))
    sample = _weighed(average, _sample([FOUND], [1]))
    assert sample.ignored_instances.bboxes.tensor.tolist() == [ELSEWHERE]


def test_a_picture_without_boxes_and_one_without_predictions() -> None:
    empty = _weighed(Average((FOUND, 0.9, 1)), _sample([], []))
    assert len(empty.gt_instances.weights) == 0 and len(empty.ignored_instances.bboxes) == 0
    nothing = _weighed(Average(), _sample([FOUND], [1]))
    assert nothing.gt_instances.weights.tolist() == [0.5]


def test_it_waits_until_the_student_has_learned_something() -> None:
    average = Average((FOUND, 0.4, 1))
    sample = _weighed(average, _sample([FOUND, ELSEWHERE], [1, 1]), begin=6)
    assert sample.gt_instances.weights.tolist() == [0.5, 0.5]


def _usual(hook: LabelAgreementHook, *scores: float) -> float:
    for score in scores:
        hook._factors(torch.tensor([1]), torch.tensor([score]))
    return hook._usual[1][0]


def test_the_usual_score_is_at_first_the_mean_of_those_found() -> None:
    hook = LabelAgreementHook(begin=1)
    assert _usual(hook, 0.1, 0.0, 0.5, 0.6) == pytest.approx(0.4)
    # Later it follows the student slowly.
    assert _usual(hook, *[0.4] * 200) == pytest.approx(0.4)
    assert _usual(hook, 0.9) == pytest.approx(0.41)


def test_a_run_that_resumes_knows_what_was_usual() -> None:
    hub = MessageHub('usual')
    average = EMAHook()
    average.ema_model = Average()
    runner = SimpleNamespace(message_hub=hub, hooks=[average])
    hook = LabelAgreementHook(begin=1)
    hook.before_train(runner)
    _usual(hook, 0.6)
    saved = hub.state_dict()
    runner.message_hub = MessageHub('resumed')
    runner.message_hub.load_state_dict(saved)
    resumed = LabelAgreementHook(begin=1)
    resumed.before_train(runner)
    assert resumed._usual == {1: (pytest.approx(0.6), 1)}


def test_without_an_average_it_is_refused() -> None:
    hook = LabelAgreementHook(begin=1)
    with pytest.raises(UserError, match='EMAHook'):
        hook.check(Config({'custom_hooks': [{'type': 'mmcompose.ChannelsLastHook'}]}))
    hook.check(Config({'custom_hooks': [{'type': 'EMAHook'}]}))


@pytest.mark.parametrize('wrong', [{'begin': 0}, {'lowest': 1.5}, {'iou_thr': -0.1}])
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        build(HOOKS, {'type': 'LabelAgreementHook', 'begin': 1, **wrong}, 'custom_hooks[0]')
