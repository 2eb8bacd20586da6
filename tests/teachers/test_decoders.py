"""Each export format is read for what it means."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.models import YOLOXHead
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope

from mmcompose.structures import Detections, iou
from mmcompose.teachers import decoders
from mmcompose.utils import UserError


def test_yolox_decodes_as_mmdet_does() -> None:
    random = torch.Generator().manual_seed(0)
    settings = {'score_thr': 0.01, 'nms': {'type': 'nms', 'iou_threshold': 0.65}}
    with DefaultScope.overwrite_default_scope('mmdet'):
        head = YOLOXHead(3, 8, test_cfg=ConfigDict(settings))
    sizes = [(8, 12), (4, 6), (2, 3)]
    maps = {
        name: [torch.randn(2, channels, *size, generator=random) for size in sizes]
        for name, channels in (('cls', 3), ('box', 4), ('objectness', 1))
    }
    metas = [{'scale_factor': (1.0, 1.0)}] * 2
    expected = head.predict_by_feat(
        maps['cls'], maps['box'], maps['objectness'], batch_img_metas=metas, rescale=False
    )
    # The order in which YOLOX exports them, scores already squashed.
    levels = zip(maps['box'], maps['objectness'], maps['cls'], strict=True)
    raw = [torch.cat([b, o.sigmoid(), c.sigmoid()], dim=1).flatten(2) for b, o, c in levels]
    output = torch.cat(raw, dim=2).transpose(1, 2).numpy()
    found = decoders.yolox({'output': output}, (96, 64), 3)
    assert len(found) == 2
    for one, other in zip(found, expected, strict=True):
        assert len(one) == len(other) > 20
        np.testing.assert_allclose(one.boxes, other.bboxes, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        assert one.labels.tolist() == other.labels.tolist()


def test_ultralytics_raw() -> None:
    raw = np.zeros((1, 4 + 3, 20), np.float32)
    # Two boxes of class 1 on one object, one of class 2 there, one of class 1 elsewhere.
    same, near, far = [50, 50, 20, 10], [51, 50, 20, 10], [9, 9, 4, 4]
    raw[0, :4, :4] = np.array([same, near, same, far]).T
    raw[0, 5, [0, 1, 3]] = 0.9, 0.8, 0.3
    raw[0, 6, 2] = 0.7
    for output in (raw, raw[:, :, :19]):
        (found,) = decoders.ultralytics({'output0': output}, (64, 64), 3)
        assert found.boxes.tolist() == [[40, 45, 60, 55], [40, 45, 60, 55], [7, 7, 11, 11]]
        assert found.labels.tolist() == [1, 2, 1]
        assert found.scores.tolist() == pytest.approx([0.9, 0.7, 0.3])
    (best,) = decoders.ultralytics({'output0': raw}, (64, 64), 3, max_per_img=1)
    assert len(best) == 1


def test_ultralytics_end_to_end() -> None:
    rows = np.zeros((2, 300, 6), np.float32)
    rows[1, 0] = [1, 2, 3, 4, 0.5, 79]
    none, one = decoders.ultralytics({'output0': rows}, (640, 640), 80, score_thr=0)
    assert len(none) == 0
    assert one.boxes.tolist() == [[1, 2, 3, 4]]
    assert one.labels.tolist() == [79]


def test_mmdeploy_by_name_in_whatever_order() -> None:
    dets = np.array([[[1, 2, 3, 4, 0.5], [0, 0, 0, 0, 0]]], np.float32)
    labels = np.array([[7, -1]])
    for outputs in ({'labels': labels, 'dets': dets}, {'a': dets, 'b': labels}):
        (found,) = decoders.mmdeploy(outputs, (64, 64), 80)
        assert found.boxes.tolist() == [[1, 2, 3, 4]]
        assert found.labels.tolist() == [7]


def test_detr_by_name_in_whatever_order() -> None:
    labels, scores = np.array([[3]]), np.array([[0.25]], np.float32)
    boxes = np.array([[[1, 2, 3, 4]]], np.float32)
    for outputs in (
        {'labels': labels, 'boxes': boxes, 'scores': scores},
        {'scores': scores, 'boxes': boxes, 'labels': labels},
        {'a': labels, 'b': boxes, 'c': scores},
    ):
        (found,) = decoders.detr(outputs, (64, 64), 80)
        assert (found.labels[0], found.scores[0]) == (3, 0.25)


@pytest.mark.parametrize('shape', [(1, 84, 100), (1, 100, 7), (100, 6)])
def test_an_output_of_another_shape_is_told(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r'but for 20 classes this decoder takes'):
        decoders.ultralytics({'o': np.zeros(shape, np.float32)}, (64, 64), 20)


def test_suppression_is_by_class() -> None:
    boxes = [[0, 0, 10, 10]] * 3
    found = decoders._suppressed(
        Detections.from_arrays(boxes, [0.5, 0.9, 0.7], [0, 0, 1]), 0.5, None
    )
    assert sorted(found.scores.tolist()) == pytest.approx([0.7, 0.9])
    assert iou(found.boxes, found.boxes).min() == 1
