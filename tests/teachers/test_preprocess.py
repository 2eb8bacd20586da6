"""What an exported model is fed is what MMDet's own pipeline would feed it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.models import DetDataPreprocessor
from mmengine.registry import DefaultScope

from mmcompose.structures import Detections
from mmcompose.teachers.preprocess import Preprocess

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def _mmdet(pixels: np.ndarray, steps: list[Any], **options: Any) -> tuple[np.ndarray, Any]:
    packed = {'type': 'PackDetInputs', 'meta_keys': ('scale_factor', 'img_shape')}
    with DefaultScope.overwrite_default_scope('mmdet'):
        pipeline = Compose([{'type': 'mmdet.LoadImageFromNDArray'}, *steps, packed])
    data = pipeline({'img': pixels})
    batch = {'inputs': [data['inputs']], 'data_samples': [data['data_samples']]}
    inputs = DetDataPreprocessor(**options)(batch)['inputs'][0]
    return inputs.to(torch.float32).numpy(), data['data_samples'].scale_factor


@pytest.mark.parametrize('size', [(320, 240), (211, 97), (97, 211), (33, 500), (64, 64)])
def test_letterbox_of_yolox(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    steps = [
        {'type': 'Resize', 'scale': (64, 64), 'keep_ratio': True},
        {'type': 'Pad', 'pad_to_square': True, 'pad_val': {'img': (114.0, 114.0, 114.0)}},
    ]
    expected, factor = _mmdet(pixels, steps)
    array, geometry = Preprocess(scale=(64, 64), keep_ratio=True)(pixels)
    assert (array == expected).all()
    assert geometry.factor == pytest.approx(factor)


@pytest.mark.parametrize('size', [(320, 240), (211, 97)])
def test_stretched_and_normalised(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    steps = [{'type': 'Resize', 'scale': (96, 64), 'keep_ratio': False}]
    expected, factor = _mmdet(pixels, steps, mean=MEAN, std=STD, bgr_to_rgb=True)
    preprocess = Preprocess(scale=(96, 64), mean=MEAN, std=STD, bgr_to_rgb=True)
    array, geometry = preprocess(pixels)
    np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-5)
    assert geometry.factor == pytest.approx(factor)


@pytest.mark.parametrize('size', [(400, 2), (2, 400)])
def test_of_a_picture_that_is_a_line_a_pixel_stays(size: tuple[int, int]) -> None:
    pixels = np.full((size[1], size[0], 3), 7, np.uint8)
    array, geometry = Preprocess(scale=(64, 64), keep_ratio=True)(pixels)
    assert array.shape == (3, 64, 64) and (array == 7).sum() == 3 * 64
    box = geometry.to_original(Detections.from_arrays([[0, 0, 64, 64]], [0.9], [0])).boxes
    assert np.isfinite(box).all() and box.max() == 400


def test_channels_last_and_the_middle() -> None:
    pixels = np.full((10, 20, 3), 7, np.uint8)
    array, geometry = Preprocess((40, 40), keep_ratio=True, center=True, channels_last=True)(pixels)
    assert array.shape == (40, 40, 3)
    assert (array[10:30] == 7).all()
    assert (array[:10] == 114).all()
    assert (array[30:] == 114).all()
    found = geometry.to_original(Detections.from_arrays([[0, 10, 40, 30]], [1], [0]))
    assert found.boxes.tolist() == [[0, 0, 20, 10]]
