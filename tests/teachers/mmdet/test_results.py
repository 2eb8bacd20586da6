"""What an MMDet data sample says, and what is told where it says no boxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

from mmcompose.structures import Image, decode_masks
from mmcompose.teachers.mmdet.results import detections_of, lacks_operator
from mmcompose.utils import UserError

IMAGE = Image('a', 'a.jpg', 12, 10)


def _sample() -> DetDataSample:
    masks = torch.zeros(1, 10, 12, dtype=torch.bool)
    masks[0, 2:5, 3:9] = True
    found = InstanceData(
        bboxes=torch.zeros(1, 4), scores=torch.ones(1), labels=torch.zeros(1), masks=masks
    )
    return DetDataSample(pred_instances=found)


def test_solo_says_where_objects_are_by_masks() -> None:
    (found,) = detections_of([_sample()], [IMAGE], with_masks=True)
    assert found.boxes.tolist() == [[3, 2, 9, 5]]
    assert found.masks is not None
    expected = np.zeros((1, 10, 12), bool)
    expected[0, 2:5, 3:9] = True
    assert (decode_masks(found.masks, 12, 10) == expected).all()
    (alone,) = detections_of([_sample()], [IMAGE], with_masks=False)
    assert alone.boxes.tolist() == [[3, 2, 9, 5]]
    assert alone.masks is None


def test_each_picture_of_a_batch_gets_its_own_boxes() -> None:
    samples = []
    for count in (2, 0, 1):
        rows = torch.arange(count) + 1
        fields = {'bboxes': rows[:, None].expand(-1, 4), 'scores': rows / 4, 'labels': rows}
        samples.append(DetDataSample(pred_instances=InstanceData(**fields)))
    found = detections_of(samples, [IMAGE] * 3, with_masks=True)
    assert [one.scores.tolist() for one in found] == [[0.25, 0.5], [], [0.25]]
    assert [one.labels.tolist() for one in found] == [[1, 2], [], [1]]
    assert found[0].boxes.tolist() == [[1] * 4, [2] * 4] and found[1].boxes.shape == (0, 4)


def test_what_makes_no_boxes_is_told() -> None:
    # What the sample held before the model saw it is nothing that the model makes.
    sample = DetDataSample(pred_panoptic_seg=PixelData(), gt_instances=InstanceData())
    with pytest.raises(UserError, match=r'makes no boxes, but pred_panoptic_seg$'):
        detections_of([sample], [IMAGE], with_masks=True)
    rotated = DetDataSample(pred_instances=InstanceData(bboxes=torch.zeros(1, 5)))
    with pytest.raises(UserError, match='boxes of 5 numbers, not of 4'):
        detections_of([rotated], [IMAGE], with_masks=True)


def test_an_operator_that_the_device_lacks_is_told() -> None:
    from mmcv.ops import carafe

    with pytest.raises(RuntimeError) as raised:
        carafe(torch.zeros(1, 1, 4, 4), torch.zeros(1, 9, 8, 8), 3, 1, 2)
    mistake = lacks_operator(raised.value)
    assert mistake is not None
    assert str(mistake).startswith("device: 'cpu' cannot run this model: MMCV has no carafe")
    assert lacks_operator(RuntimeError('out of memory')) is None
