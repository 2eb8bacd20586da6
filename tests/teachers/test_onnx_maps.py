"""Tests of what an ONNX teacher shows of its feature maps: what the detector's neck returns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from mmcompose.commands.export_student import export_student
from mmcompose.registry import TEACHERS, build
from mmcompose.teachers import MMDetTeacher, ONNXTeacher
from mmcompose.utils import UserError
from tests.commands.test_export_student import HEADS, _checkpoint, _config

WIDTH, HEIGHT = 160, 96


def _pictures(*sizes: tuple[int, int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)
        for width, height in sizes
    ]


@pytest.mark.parametrize('head', HEADS)
def test_an_exported_detector_shows_what_its_neck_returns(head: str, tmp_path: Path) -> None:
    config = _config(head, padded=False)
    checkpoint = _checkpoint(config, tmp_path / 'detector.pth')
    trained = build(
        TEACHERS, {'type': 'mmcompose.MMDetTeacher', 'config': config, 'checkpoint': checkpoint}, ''
    )
    exported = build(
        TEACHERS, {'type': 'mmcompose.ONNXTeacher', 'model': str(export_student(checkpoint))}, ''
    )
    assert isinstance(trained, MMDetTeacher) and isinstance(exported, ONNXTeacher)
    exported.check_feature_maps()
    pictures = _pictures((WIDTH, HEIGHT), (WIDTH, HEIGHT))
    shown, whole = exported.feature_maps(pictures)
    expected, covered = trained.feature_maps(pictures)
    assert whole == covered == (HEIGHT, WIDTH)
    by_size = {each.shape[2:]: each for each in shown}
    # Of the last level, one row.
    for level in expected[:-1]:
        torch.testing.assert_close(by_size[level.shape[2:]], level, rtol=1e-3, atol=1e-3)


def test_pictures_of_other_sizes_are_padded_together_and_maps_cut_to_them(tmp_path: Path) -> None:
    config = _config('ATSS', padded=False)
    model = str(export_student(_checkpoint(config, tmp_path / 'detector.pth')))
    teacher = build(TEACHERS, {'type': 'mmcompose.ONNXTeacher', 'model': model}, '')
    # Twice as wide as the model's input is for its height: the lower part of the input is empty.
    pictures = _pictures((320, 80), (200, 96))
    maps, whole = teacher.feature_maps(pictures)
    assert whole == (96, 320)
    assert [tuple(each.shape[2:]) for each in maps if each.shape[3] == WIDTH // 8] == [(6, 20)]
    assert all(len(each) == 2 for each in maps)
    # What follows the second picture to the right is black for both.
    alone, _ = teacher.feature_maps([torch.nn.functional.pad(pictures[1], (0, 120))])
    for both, one in zip(maps, alone, strict=True):
        torch.testing.assert_close(both[1:], one)


def _graph(path: Path, flip: bool = False, **batch: Any) -> str:
    """Write a detector whose head and coarse level read one map each by two convolutions.

    Args:
        path: Of the file.
        flip: Whether convolutions read maps through operators of their own: a layout's and a pad.
        batch: ``count`` of the input.
    """
    nodes, weights = [], []

    def conv(source: str, output: str, inputs: int, outputs: int, stride: int = 1) -> None:
        values = np.random.default_rng(len(nodes)).normal(size=(outputs, inputs, 1, 1))
        weights.append(onnx.numpy_helper.from_array(values.astype(np.float32), f'w_{output}'))
        read = source
        if flip and source != 'images':
            for step, perm in (('last', [0, 2, 3, 1]), ('first', [0, 3, 1, 2])):
                nodes.append(helper.make_node('Transpose', [read], [f'{output}_{step}'], perm=perm))
                read = f'{output}_{step}'
            nodes.append(helper.make_node('Pad', [read, 'none'], [f'{output}_padded']))
            read = f'{output}_padded'
        nodes.append(
            helper.make_node('Conv', [read, f'w_{output}'], [output], strides=[stride, stride])
        )

    weights.append(onnx.numpy_helper.from_array(np.zeros(8, np.int64), 'none'))
    conv('images', 'fine', 3, 4, stride=4)
    conv('fine', 'coarse', 4, 6, stride=2)
    conv('fine', 'lateral', 4, 5)
    conv('coarse', 'top', 6, 5)
    conv('coarse', 'other', 6, 5)
    nodes.append(helper.make_node('Relu', ['lateral'], ['neck']))
    conv('neck', 'stem', 5, 5)
    conv('neck', 'classes', 5, 2)
    # The head's own branch is no neck: not all that is predicted comes from it.
    conv('stem', 'places', 5, 4)
    conv('stem', 'quality', 5, 1)
    for name in ('classes', 'places', 'quality', 'top', 'other'):
        nodes.append(helper.make_node('GlobalMaxPool', [name], [f'{name}_most']))
    outputs = [
        helper.make_tensor_value_info(f'{name}_most', TensorProto.FLOAT, None)
        for name in ('classes', 'places', 'quality', 'top', 'other')
    ]
    count = batch.get('count', 'N')
    images = helper.make_tensor_value_info('images', TensorProto.FLOAT, [count, 3, 32, 64])
    graph = helper.make_graph(nodes, 'toy', [images], outputs, weights)
    opset = [helper.make_opsetid('', 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return str(path)


def _nothing(outputs: Any, size: Any, classes: int) -> list[Any]:
    raise AssertionError('maps need no decoding')


def _teacher(model: str, **arguments: Any) -> ONNXTeacher:
    decode = f'{__name__}._nothing'
    return ONNXTeacher(model=model, classes=['cat', 'dog'], decode=decode, **arguments)


@pytest.mark.parametrize('flip', [False, True])
def test_the_head_s_own_branches_are_no_maps(flip: bool, tmp_path: Path) -> None:
    teacher = _teacher(_graph(tmp_path / 'toy.onnx', flip=flip))
    maps, _ = teacher.feature_maps(_pictures((64, 32)))
    assert [tuple(each.shape) for each in maps] == [(1, 5, 8, 16), (1, 6, 4, 8)]
    # The neck's are no less than 0.
    assert maps[0].min() == 0 > maps[1].min()


@pytest.mark.parametrize('count', [2, 3])
def test_a_batch_of_fixed_size_is_filled_up(count: int, tmp_path: Path) -> None:
    pictures = _pictures(*[(64, 32)] * 5)
    (expected, *_), _ = _teacher(_graph(tmp_path / 'any.onnx')).feature_maps(pictures)
    (found, *_), _ = _teacher(_graph(tmp_path / 'fixed.onnx', count=count)).feature_maps(pictures)
    torch.testing.assert_close(found, expected)


def test_weights_beside_the_graph_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _graph(tmp_path / 'whole.onnx')
    (expected, *_), _ = _teacher(path).feature_maps(_pictures((64, 32)))
    onnx.save(
        onnx.load(path),
        tmp_path / 'beside.onnx',
        save_as_external_data=True,
        location='beside.bin',
        size_threshold=0,
    )
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (found, *_), _ = _teacher(str(tmp_path / 'beside.onnx')).feature_maps(_pictures((64, 32)))
    torch.testing.assert_close(found, expected)


def test_a_model_without_maps_is_told(make_onnx: Callable[..., str]) -> None:
    model = make_onnx({'dets': (np.zeros((1, 1, 5), np.float32), 0)})
    with pytest.raises(UserError, match=r'^model: .*shows no feature maps'):
        _teacher(model).check_feature_maps()
