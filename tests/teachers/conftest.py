"""A tiny detector with random weights, and pictures, made by the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config
from onnx import TensorProto, helper, numpy_helper

from mmcompose.structures import Image
from mmcompose.teachers.mmdet.model import build_model

CLASSES = ('cat', 'dog', 'tree')

CONFIG = """
model = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True, pad_size_divisor=32),
    backbone=dict(
        type='ResNet', depth=18, base_channels=8, num_stages=4, out_indices=(0, 1, 2, 3),
        norm_cfg=dict(type='BN', requires_grad=True), norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=8, start_level=1, num_outs=5),
    bbox_head=dict(
        type='RetinaHead', num_classes=3, in_channels=8, stacked_convs=1, feat_channels=8,
        anchor_generator=dict(
            type='AnchorGenerator', octave_base_scale=4, scales_per_octave=3,
            ratios=[0.5, 1.0, 2.0], strides=[8, 16, 32, 64, 128]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='L1Loss', loss_weight=1.0)),
    test_cfg=dict(
        nms_pre=200, min_bbox_size=0, score_thr=0.3, nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=50))
test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', scale=(160, 96), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=(
        'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]
test_dataloader = dict(dataset=dict(type='CocoDataset', pipeline=test_pipeline))
tta_model = dict(
    type='DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=50))
tta_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale=(160, 96), keep_ratio=True)],
        [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)],
        [dict(type='LoadAnnotations', with_bbox=True)],
        [dict(type='PackDetInputs', meta_keys=(
            'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
            'flip_direction'))]])]
"""


@pytest.fixture(scope='session')
def config_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A RetinaNet on a ResNet-18 of 8 channels, 3 classes."""
    path = tmp_path_factory.mktemp('config') / 'tiny_retinanet.py'
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture(scope='session')
def weights(config_file: str) -> dict[str, torch.Tensor]:
    """Random weights whose scores are far from each other."""
    torch.manual_seed(0)
    model = build_model(Config.fromfile(config_file))
    torch.nn.init.normal_(model.bbox_head.retina_cls.weight, std=0.3)
    torch.nn.init.normal_(model.bbox_head.retina_reg.weight, std=0.03)
    return dict(model.state_dict())


@pytest.fixture(scope='session')
def checkpoint_file(
    weights: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Those weights as MMDet 3.x saves them."""
    path = tmp_path_factory.mktemp('checkpoint') / 'tiny_retinanet.pth'
    torch.save({'state_dict': weights, 'meta': {'dataset_meta': {'classes': CLASSES}}}, path)
    return str(path)


@pytest.fixture(scope='session')
def teacher_config(config_file: str, checkpoint_file: str) -> dict[str, Any]:
    """A config dict of an MMDetTeacher made of them."""
    return {
        'type': 'mmcompose.MMDetTeacher',
        'config': config_file,
        'checkpoint': checkpoint_file,
        'device': 'cpu',
    }


@pytest.fixture(scope='session')
def make_images(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Image]]:
    """Make pictures of the given (width, height) sizes."""

    def make(*sizes: tuple[int, int]) -> list[Image]:
        folder = tmp_path_factory.mktemp('images')
        return [_make_image(folder, number, *size) for number, size in enumerate(sizes)]

    return make


def _make_image(folder: Path, number: int, width: int, height: int) -> Image:
    random = np.random.default_rng(number)
    coarse = random.integers(0, 256, (6, 8, 3), np.uint8)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    path = folder / f'{number}.png'
    cv2.imwrite(str(path), pixels)
    return Image(path.name, str(path), width, height)


@pytest.fixture
def make_onnx(tmp_path: Path) -> Callable[..., str]:
    """Make an ONNX model whose output says a constant, plus how bright the picture is.

    ``output[b] = base + mean(input[b]) / 255 * bright``, for each ``(base, bright)`` of
    ``outputs``, by name; an output of whole numbers is cast. With ``sizes`` the model takes a
    second input of that name, by which ``boxes`` are multiplied.
    """
    return lambda *args, **kwargs: _make_onnx(tmp_path / 'toy.onnx', *args, **kwargs)


def _make_onnx(
    path: Path,
    outputs: dict[str, tuple[Any, Any]],
    shape: tuple[Any, ...] = ('batch', 3, 64, 64),
    dtype: int = TensorProto.FLOAT,
    sizes: str | None = None,
    sizes_dtype: int = TensorProto.INT64,
) -> str:
    def constant(name: str, value: Any) -> TensorProto:
        return numpy_helper.from_array(np.asarray(value), name)

    constants = [constant('scale', np.float32(255))]
    nodes = [
        helper.make_node('Cast', ['images'], ['float'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMean', ['float'], ['mean'], axes=[1, 2, 3], keepdims=0),
        helper.make_node('Div', ['mean', 'scale'], ['relative']),
    ]
    described = []
    for name, (base, bright) in outputs.items():
        base, bright = np.asarray(base), np.asarray(bright, np.float32)
        places = np.array([-1] + [1] * base.ndim, np.int64)
        constants += [
            constant(f'{name}.base', base.astype(np.float32)),
            constant(f'{name}.bright', bright),
            constant(f'{name}.places', places),
        ]
        kind = helper.np_dtype_to_tensor_dtype(base.dtype)
        scaled = bool(sizes) and name == 'boxes'
        said = f'{name}.cast' if scaled else name
        nodes += [
            helper.make_node('Reshape', ['relative', f'{name}.places'], [f'{name}.mean']),
            helper.make_node('Mul', [f'{name}.mean', f'{name}.bright'], [f'{name}.part']),
            helper.make_node('Add', [f'{name}.base', f'{name}.part'], [f'{name}.sum']),
            helper.make_node('Cast', [f'{name}.sum'], [said], to=kind),
        ]
        if scaled:
            constants.append(constant('axis', np.array([1], np.int64)))
            nodes += [
                helper.make_node('Cast', [sizes], ['sizes.float'], to=TensorProto.FLOAT),
                helper.make_node('Concat', ['sizes.float', 'sizes.float'], ['four'], axis=1),
                helper.make_node('Unsqueeze', ['four', 'axis'], ['four.rows']),
                helper.make_node('Mul', [said, 'four.rows'], [name]),
            ]
        described.append(helper.make_tensor_value_info(name, kind, [shape[0], *base.shape]))
    inputs = [helper.make_tensor_value_info('images', dtype, shape)]
    if sizes:
        inputs.append(helper.make_tensor_value_info(sizes, sizes_dtype, [shape[0], 2]))
    graph = helper.make_graph(nodes, 'toy', inputs, described, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.save(model, path)
    return str(path)
