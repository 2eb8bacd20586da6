"""Each export format is read for what it means."""

from __future__ import annotations

from typing import Any

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


FLOAT, WHOLE = np.float32, np.int64
BOX = [10, 10, 50, 50]
RAW = np.zeros((1, 84, 6), FLOAT)
RAW[0, 0] = [*BOX, 0.9, 1]


@pytest.mark.parametrize(
    ('decode', 'outputs', 'classes'),
    [
        (
            decoders.detr,
            {'labels': ([[1]], WHOLE), 'boxes': ([[BOX]], FLOAT), 'scores': ([[0.9]], FLOAT)},
            2,
        ),
        # Without names, in another order: what is whole is a label.
        (decoders.detr, {'o1': ([[BOX]], FLOAT), 'o2': ([[0.9]], FLOAT), 'o3': ([[1]], WHOLE)}, 2),
        (decoders.detr, {'o1': ([[1]], FLOAT), 'o2': ([[0.9]], FLOAT), 'o3': ([[BOX]], FLOAT)}, 2),
        (decoders.mmdeploy, {'dets': ([[[*BOX, 0.9]]], FLOAT), 'labels': ([[1]], WHOLE)}, 2),
        (decoders.mmdeploy, {'o1': ([[1]], WHOLE), 'o2': ([[[*BOX, 0.9]]], FLOAT)}, 2),
        (
            decoders.mmdeploy,
            {
                'dets': ([[[*BOX, 0.9]]], FLOAT),
                'labels': ([[1]], WHOLE),
                'masks': (np.zeros((1, 1, 8, 8)), FLOAT),
            },
            2,
        ),
        (decoders.ultralytics, {'output0': ([[[*BOX, 0.9, 1]]], FLOAT)}, 2),
        # As many rows as an export before suppression has columns.
        (decoders.ultralytics, {'output0': (RAW, FLOAT)}, 80),
    ],
)
def test_outputs_are_known_by_what_they_hold(
    decode: Any, outputs: dict[str, Any], classes: int
) -> None:
    arrays = {name: np.array(value, kind) for name, (value, kind) in outputs.items()}
    (found,) = decode(arrays, (64, 64), classes)
    assert found.boxes.tolist() == [BOX]
    assert (found.scores.tolist(), found.labels.tolist()) == ([pytest.approx(0.9)], [1])


@pytest.mark.parametrize(
    ('decode', 'outputs', 'message'),
    [
        # Label before score, also where the label 0 would pass for a low score.
        (decoders.ultralytics, [[[*BOX, 1, 0.6]]], 'the sixth column holds 0.6, .* label before'),
        (decoders.ultralytics, [[[*BOX, 0, 0.6]]], 'the sixth column holds 0.6'),
        (decoders.ultralytics, [[[30, 30, 40, 40, 0.9, 0.95]]], 'as YOLOv5 has one class'),
        (decoders.ultralytics, [[[*BOX, 90, 1]]], r'the fifth column are in \[90, 90\], not in'),
        (decoders.ultralytics, np.full((1, 5, 7), -4.0), r'class scores are in \[-4, -4\]'),
        (decoders.ultralytics, np.zeros((1, 8, 9)), 'but for 1 classes this decoder takes'),
        (decoders.mmdeploy, {'dets': np.zeros((1, 5, 4)), 'labels': np.zeros((1, 5, 3))}, '5, 4'),
        (decoders.mmdeploy, {'dets': np.zeros((1, 5, 5)), 'labels': np.zeros((1, 4))}, r'\(1, 4\)'),
        (
            decoders.mmdeploy,
            {'dets': np.full((1, 5, 5), 3.0), 'labels': np.zeros((1, 5))},
            'the fifth column of dets are in',
        ),
        (
            decoders.mmdeploy,
            {'dets': np.zeros((1, 5, 5)), 'labels': np.full((1, 5), 0.5)},
            'the output labels holds 0.5',
        ),
        (
            decoders.detr,
            {'boxes': np.zeros((1, 5, 4)), 'logits': np.zeros((1, 5, 91))},
            'takes scores',
        ),
        (
            decoders.detr,
            {'b': np.zeros((1, 5, 4)), 's': np.full((1, 5), 0.1), 'l': np.full((1, 5), 0.2)},
            'takes scores and labels',
        ),
        (decoders.yolox, np.full((1, 84, 6), 7.0), 'objectness and class scores are in'),
        (decoders.yolox, np.full((1, 84, 6), [30, 30, 40, 40, 0.5, 0.5]), 'its boxes decoded'),
        (decoders.yolox, {}, 'the model has none'),
    ],
)
def test_outputs_of_another_meaning_are_one_line(decode: Any, outputs: Any, message: str) -> None:
    arrays = outputs if isinstance(outputs, dict) else {'output': np.array(outputs, FLOAT)}
    with pytest.raises(UserError, match=f'^decode: .*{message}'):
        decode(arrays, (64, 64), 1)
