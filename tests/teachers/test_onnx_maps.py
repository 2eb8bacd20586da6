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
    assert len(shown) == len(expected)
    for one, other in zip(shown, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


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


class _Graph:
    """A made-up detector of pictures of 64 x 32 pixels, node by node.

    Args:
        channels_last: Whether convolutions read maps through operators of their own: those of
            another layout, and a pad.
    """

    def __init__(self, channels_last: bool = False) -> None:
        self.channels_last = channels_last
        self.nodes: list[Any] = []
        self.weights = [onnx.numpy_helper.from_array(np.zeros(8, np.int64), 'none')]
        self.ends: list[str] = []

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def constant(self, name: str, value: Any) -> None:
        self.weights.append(onnx.numpy_helper.from_array(np.asarray(value), name))

    def conv(self, source: str, output: str, inputs: int, outputs: int, stride: int = 1) -> None:
        generator = np.random.default_rng(len(self.nodes))
        self.constant(f'w_{output}', generator.normal(size=(outputs, inputs, 1, 1)).astype('f4'))
        if self.channels_last and source != 'images':
            for step, perm in (('last', [0, 2, 3, 1]), ('first', [0, 3, 1, 2])):
                self.add('Transpose', [source], f'{output}_{step}', perm=perm)
                source = f'{output}_{step}'
            self.add('Pad', [source, 'none'], f'{output}_padded')
            source = f'{output}_padded'
        self.add('Conv', [source, f'w_{output}'], output, strides=[stride, stride])

    def end(self, *names: str) -> None:
        """Make outputs of what is predicted."""
        for name in names:
            self.add('ReduceMax', [name], f'{name}_most')
            self.ends.append(f'{name}_most')

    def save(self, path: Path, count: int | str = 'N') -> str:
        outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in self.ends]
        images = helper.make_tensor_value_info('images', TensorProto.FLOAT, [count, 3, 32, 64])
        graph = helper.make_graph(self.nodes, 'toy', [images], outputs, self.weights)
        opset = [helper.make_opsetid('', 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
        return str(path)


def _two_levels(channels_last: bool = False) -> _Graph:
    """A head at the finer level, of a branch of its own; the coarser is read by two of its own."""
    graph = _Graph(channels_last)
    graph.conv('images', 'stem', 3, 4, stride=2)
    graph.conv('stem', 'straight', 4, 4, stride=2)
    graph.conv('stem', 'shortcut', 4, 4, stride=2)
    graph.add('Add', ['straight', 'shortcut'], 'fine')
    graph.conv('fine', 'coarse', 4, 6, stride=2)
    graph.conv('fine', 'lateral', 4, 5)
    graph.conv('coarse', 'top', 6, 5)
    graph.conv('coarse', 'other', 6, 5)
    graph.add('Relu', ['lateral'], 'neck')
    graph.conv('neck', 'branch', 5, 5)
    graph.conv('neck', 'classes', 5, 2)
    graph.conv('branch', 'places', 5, 4)
    graph.conv('branch', 'quality', 5, 1)
    graph.end('top', 'other', 'classes', 'places', 'quality')
    return graph


def _nothing(outputs: Any, size: Any, classes: int) -> list[Any]:
    raise AssertionError('maps need no decoding')


def _teacher(model: str, **arguments: Any) -> ONNXTeacher:
    decode = f'{__name__}._nothing'
    return ONNXTeacher(model=model, classes=['cat', 'dog'], decode=decode, **arguments)


def _maps(graph: _Graph, path: Path) -> list[str]:
    return _teacher(graph.save(path / 'toy.onnx'))._map_names


@pytest.mark.parametrize('channels_last', [False, True])
def test_the_branches_of_a_head_are_no_maps_and_neither_is_a_stem(
    channels_last: bool, tmp_path: Path
) -> None:
    teacher = _teacher(_two_levels(channels_last).save(tmp_path / 'toy.onnx'))
    maps, _ = teacher.feature_maps(_pictures((64, 32)))
    assert [tuple(each.shape) for each in maps] == [(1, 5, 8, 16), (1, 6, 4, 8)]
    # The neck's are no less than 0.
    assert maps[0].min() == 0 > maps[1].min()


def test_all_that_is_predicted_at_a_size_comes_from_its_map(tmp_path: Path) -> None:
    graph = _two_levels()
    graph.conv('fine', 'masks', 4, 2)
    graph.end('masks')
    assert _maps(graph, tmp_path) == ['fine', 'coarse']


def test_one_prediction_a_level_is_made_of_the_map_that_it_reads(tmp_path: Path) -> None:
    """YOLOv5 predicts all of a level by one convolution."""
    graph = _Graph()
    graph.conv('images', 'fine', 3, 4, stride=4)
    graph.conv('fine', 'left', 4, 4)
    graph.conv('fine', 'right', 4, 4)
    graph.add('Concat', ['left', 'right'], 'joined', axis=1)
    graph.conv('joined', 'neck', 8, 6)
    graph.conv('neck', 'all', 6, 7)
    graph.end('all')
    assert _maps(graph, tmp_path) == ['neck']


def test_a_convolution_that_decodes_reads_no_map(tmp_path: Path) -> None:
    """YOLOv8 takes the mean of a distribution by a convolution over all places at once."""
    graph = _Graph()
    graph.conv('images', 'neck', 3, 4, stride=4)
    for name in ('classes', 'sides'):
        graph.conv('neck', f'{name}_branch', 4, 4)
        graph.conv(f'{name}_branch', name, 4, 16)
    graph.constant('apart', np.array([0, 4, 4, -1]))
    graph.add('Reshape', ['sides', 'apart'], 'distribution')
    graph.conv('distribution', 'mean', 4, 1)
    graph.end('classes', 'mean')
    assert _maps(graph, tmp_path) == ['neck']


@pytest.mark.parametrize('count', [0, 3])
def test_a_second_stage_predicts_from_what_it_crops(count: int, tmp_path: Path) -> None:
    graph = _Graph()
    graph.conv('images', 'level', 3, 4, stride=4)
    graph.conv('level', 'proposing', 4, 4)
    graph.conv('proposing', 'objects', 4, 1)
    graph.conv('proposing', 'places', 4, 4)
    graph.constant('boxes', np.tile(np.array([[0, 0, 8, 8]], np.float32), (count, 1)))
    graph.constant('rows', np.zeros(count, np.int64))
    size = {'output_height': 4, 'output_width': 8, 'spatial_scale': 0.25}
    graph.add('RoiAlign', ['level', 'boxes', 'rows'], 'crops', **size)
    for name in ('masks', 'names'):
        graph.conv('crops', name, 4, 2)
    graph.end('objects', 'places', 'masks', 'names')
    assert _maps(graph, tmp_path) == ['level']


def test_what_a_subgraph_reads_is_read(tmp_path: Path) -> None:
    graph = _two_levels()
    value = helper.make_tensor_value_info('chosen', TensorProto.FLOAT, None)
    branch = helper.make_graph(
        [helper.make_node('Mul', ['neck', 'neck'], ['chosen'])], 'branch', [], [value]
    )
    graph.constant('yes', np.array(True))
    graph.add('If', ['yes'], 'squared', then_branch=branch, else_branch=branch)
    graph.conv('squared', 'more', 5, 2)
    graph.end('more')
    assert _maps(graph, tmp_path) == ['neck', 'coarse']


def test_what_maps_do_not_need_does_not_run(tmp_path: Path) -> None:
    graph = _two_levels()
    graph.constant('far', np.array([99]))
    graph.add('Gather', ['classes', 'far'], 'fails', axis=1)
    graph.end('fails')
    teacher = _teacher(graph.save(tmp_path / 'toy.onnx'))
    assert len(teacher.feature_maps(_pictures((64, 32)))[0]) == 2


def test_numbers_beyond_those_of_pictures_are_clipped(tmp_path: Path) -> None:
    teacher = _teacher(_two_levels().save(tmp_path / 'toy.onnx'))
    (picture,) = _pictures((64, 32))
    beyond = torch.where(picture > 127, 300.4, -3.0)
    ((found, _), _), ((expected, _), _) = (
        teacher.feature_maps([each]) for each in (beyond, (picture > 127).byte() * 255)
    )
    torch.testing.assert_close(found, expected)


def test_maps_are_cropped_to_a_picture_in_the_middle(tmp_path: Path) -> None:
    path = _two_levels().save(tmp_path / 'toy.onnx')
    (picture,) = _pictures((16, 32))
    teacher = _teacher(path, preprocess={'keep_ratio': True, 'center': True})
    ((found, _), whole) = teacher.feature_maps([picture])
    blank = torch.full((3, 32, 64), 114, dtype=torch.uint8)
    blank[:, :, 24:40] = picture
    ((expected, _), _) = _teacher(path).feature_maps([blank])
    assert whole == (32, 16)
    torch.testing.assert_close(found, expected[..., 6:10])


@pytest.mark.parametrize('count', [2, 3])
def test_a_batch_of_fixed_size_is_filled_up(count: int, tmp_path: Path) -> None:
    pictures = _pictures(*[(64, 32)] * 5)
    graph = _two_levels()
    (expected, _), _ = _teacher(graph.save(tmp_path / 'any.onnx')).feature_maps(pictures)
    (found, _), _ = _teacher(graph.save(tmp_path / 'fixed.onnx', count)).feature_maps(pictures)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('linked', [False, True])
def test_weights_beside_the_graph_are_found(
    linked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _two_levels().save(tmp_path / 'whole.onnx')
    (expected, _), _ = _teacher(path).feature_maps(_pictures((64, 32)))
    beside, elsewhere = tmp_path / 'beside.onnx', tmp_path / 'elsewhere'
    onnx.save(
        onnx.load(path), beside, save_as_external_data=True, location='w.bin', size_threshold=0
    )
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    if linked:
        # As caches of model hubs have it.
        for name in ('beside.onnx', 'w.bin'):
            Path(f'blob of {name}').write_bytes((tmp_path / name).read_bytes())
            (tmp_path / name).unlink()
            (tmp_path / name).symlink_to(elsewhere / f'blob of {name}')
    (found, _), _ = _teacher(str(beside)).feature_maps(_pictures((64, 32)))
    torch.testing.assert_close(found, expected)


def test_a_model_without_maps_is_refused(make_onnx: Callable[..., str]) -> None:
    model = make_onnx({'dets': (np.zeros((1, 1, 5), np.float32), 0)})
    with pytest.raises(UserError, match=r'^model: .*shows no feature maps'):
        _teacher(model).check_feature_maps()
