"""ONNXTeacher: any batch, any decoder, boxes in original pixels."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image
from mmcompose.teachers import ONNXTeacher
from mmcompose.teachers.tensor_teacher import TensorTeacher
from mmcompose.utils import UserError, constructor_types

# x1 y1 x2 y2 score label, in a 64x64 input; the score is how bright the picture is.
ROWS = np.array([[8, 16, 40, 48, 0, 2], [0, 0, 64, 32, 0, 0]], np.float32)
BRIGHT = np.array([[0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0]], np.float32)
CLASSES = ['a', 'b', 'c']


def picture(width: int, height: int, brightness: int) -> Image:
    image = Image(f'{brightness}', f'{brightness}.png', width, height)
    vars(image)['pixels'] = np.full((height, width, 3), brightness, np.uint8)
    return image


def teacher(model: str, **arguments: Any) -> ONNXTeacher:
    config = {'type': 'mmcompose.ONNXTeacher', 'model': model, 'classes': CLASSES}
    config |= {'decode': 'ultralytics'} | arguments
    return build(TEACHERS, config, 'composition.teachers.toy')


@pytest.mark.parametrize('size', [(64, 64), (640, 480)])
def test_relative_boxes_are_told_in_pictures_of_any_size(
    size: tuple[int, int], make_onnx: Callable[..., str]
) -> None:
    rows = ROWS / [64, 64, 64, 64, 1, 1]
    toy = teacher(make_onnx({'o': (rows.astype(np.float32), BRIGHT)}))
    with pytest.raises(UserError, match=r'boxes: the only one lies within the first pixel'):
        toy.predict([picture(*size, 255)])


@pytest.mark.parametrize('batch', ['batch', 1, 2, 4])
def test_a_static_and_a_dynamic_batch_say_the_same(
    make_onnx: Callable[..., str], batch: str | int
) -> None:
    model = make_onnx({'o': (ROWS, BRIGHT)}, (batch, 3, 64, 64))
    images = [picture(128, 64, value) for value in (51, 102, 153, 204, 255)]
    found = teacher(model, batch_size=3).predict(images)
    assert [float(one.scores[0]) for one in found] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    for one in found:
        # Stretched to 64x64: a pixel of the input is two of the original's width.
        assert one.boxes.tolist() == [[16, 16, 80, 48]]
        assert one.labels.tolist() == [2]


def _as_many_boxes_as_bright(path: Path) -> str:
    """Write an MMDeploy-like model of one picture at a time, which finds more in brighter ones."""
    scores = np.array([0.2, 0.5, 0.9], np.float32)
    boxes = np.array([[1, 1, 20, 20], [5, 5, 30, 30], [10, 10, 50, 50]], np.float32)
    constants = {
        'white': np.array(255, np.float32),
        'scores': scores,
        'all dets': np.c_[boxes, scores],
        'all labels': np.array([0, 1, 2]),
        'axis': np.array([0]),
    }
    nodes = [
        helper.make_node('ReduceMean', ['x'], ['mean'], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node('Div', ['mean', 'white'], ['brightness']),
        helper.make_node('Less', ['scores', 'brightness'], ['kept']),
    ]
    for name in ('dets', 'labels'):
        nodes.append(helper.make_node('Compress', [f'all {name}', 'kept'], [f'its {name}'], axis=0))
        nodes.append(helper.make_node('Unsqueeze', [f'its {name}', 'axis'], [name]))
    graph = helper.make_graph(
        nodes,
        'toy',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 3, 64, 64])],
        [
            helper.make_tensor_value_info('dets', TensorProto.FLOAT, [1, 'n', 5]),
            helper.make_tensor_value_info('labels', TensorProto.INT64, [1, 'n']),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid('', 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return str(path)


def test_how_many_rows_an_output_has_may_differ_from_picture_to_picture(tmp_path: Path) -> None:
    model = _as_many_boxes_as_bright(tmp_path / 'toy.onnx')
    images = [picture(64, 64, value) for value in (255, 150, 0, 250)]
    found = teacher(model, decode='mmdeploy').predict(images)
    assert [len(one) for one in found] == [3, 2, 0, 3]
    assert sorted(found[1].scores.tolist()) == pytest.approx([0.2, 0.5])


def test_letterbox_boxes_come_back_to_original_pixels(make_onnx: Callable[..., str]) -> None:
    model = make_onnx({'o': (ROWS, BRIGHT)})
    preprocess = {'scale': (64, 64), 'keep_ratio': True, 'pad_val': 0}
    (corner,) = teacher(model, preprocess=preprocess).predict([picture(128, 96, 255)])
    assert corner.boxes.tolist() == [[16, 32, 80, 96]]
    # A quarter of the input is padding.
    assert corner.scores.tolist() == pytest.approx([0.75])
    preprocess['center'] = True
    (center,) = teacher(model, preprocess=preprocess).predict([picture(128, 96, 255)])
    assert center.boxes.tolist() == [[16, 16, 80, 80]]


@pytest.mark.parametrize(
    ('dtype', 'preprocess'),
    [
        (TensorProto.FLOAT16, {}),
        (TensorProto.UINT8, {}),
        (TensorProto.FLOAT, {'mean': [55.0] * 3, 'std': [0.5] * 3, 'bgr_to_rgb': True}),
        (TensorProto.FLOAT, {'channels_last': True}),
    ],
)
def test_inputs_of_every_kind(
    make_onnx: Callable[..., str], dtype: int, preprocess: dict[str, Any]
) -> None:
    shape = (1, 64, 64, 3) if 'channels_last' in preprocess else (1, 3, 64, 64)
    model = make_onnx({'o': (ROWS, BRIGHT)}, shape, dtype)
    (found,) = teacher(model, preprocess=preprocess).predict([picture(64, 64, 102)])
    expected = 94 / 255 if 'mean' in preprocess else 102 / 255
    assert found.scores.tolist() == pytest.approx([expected], abs=1e-3)


@pytest.mark.parametrize('dtype', [TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT])
def test_a_model_that_asks_for_sizes_is_told_those_of_its_input(
    make_onnx: Callable[..., str], dtype: int
) -> None:
    outputs = {
        'labels': (np.array([1], np.int64), [0]),
        'boxes': (np.array([[0.25, 0.5, 0.5, 1]], np.float32), np.zeros((1, 4))),
        'scores': (np.array([0], np.float32), [1]),
    }
    model = make_onnx(outputs, ('n', 3, 32, 64), sizes='orig_target_sizes', sizes_dtype=dtype)
    (found,) = teacher(model, decode='detr').predict([picture(640, 320, 255)])
    assert found.boxes.tolist() == [[160, 160, 320, 320]]
    assert found.labels.tolist() == [1]


def test_a_decoder_of_ones_own(
    make_onnx: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / 'my_decoders.py'
    module.write_text(
        'from mmcompose.structures import Detections\n'
        'def whole(outputs, input_size, num_classes, label=0):\n'
        '    whole = [[0, 0, *input_size]]\n'
        "    return [Detections.from_arrays(whole, [v], [label]) for v in outputs['b']]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = make_onnx({'b': (np.float32(0), 1)})
    own = teacher(model, decode={'type': 'my_decoders.whole', 'label': 1})
    (found,) = own.predict([picture(100, 50, 51)])
    assert found.boxes.tolist() == [[0, 0, 100, 50]]
    assert found.labels.tolist() == [1]
    assert found.scores.tolist() == pytest.approx([0.2])
    before = own.identity
    del sys.modules['my_decoders']
    module.write_text(module.read_text() + '# changed\n')
    assert teacher(model, decode='my_decoders.whole').identity != before


def test_constructing_loads_nothing_and_no_images_give_nothing(
    make_onnx: Callable[..., str],
) -> None:
    made = teacher(make_onnx({'o': (ROWS, BRIGHT)}))
    assert '_session' not in vars(made)
    assert made.predict([]) == []


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'model': 'no_such.onnx'}, r'^composition\.teachers\.toy\.model: .* is no file'),
        ({'decode': 'yolo'}, "'yolo' is no decoder .* did you mean 'yolox'"),
        ({'decode': 'no_such.function'}, r"decode: 'no_such\.function' cannot be imported"),
        ({'decode': {'type': 'yolox', 'thr': 1}}, "decode: 'thr' is not a key here"),
        ({'preprocess': {'size': 3}}, "preprocess: 'size' is not a key here"),
        ({'preprocess': {'scale': 640}}, r'640 is not \(width, height\)'),
        ({'preprocess': {'mean': [1, 2]}}, 'neither one number nor three'),
    ],
)
def test_a_mistake_is_told_before_any_work(
    make_onnx: Callable[..., str], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        teacher(arguments.pop('model', make_onnx({'o': (ROWS, BRIGHT)})), **arguments)


@pytest.mark.parametrize(
    ('arguments', 'shape', 'message'),
    [
        ({'preprocess': {'scale': (32, 32)}}, (1, 3, 64, 64), 'of what the model takes'),
        ({}, ('n', 3, 'h', 'w'), r'preprocess\.scale: is missing'),
        (
            {'preprocess': {'channels_last': True}},
            (1, 3, 64, 64),
            r'channels_last: True does not fit a model that takes \[1, 3, 64, 64\]',
        ),
        ({'classes': ['a', 'b']}, (1, 3, 64, 64), '2 names, but the model predicts class number 2'),
        ({'decode': 'yolox'}, (1, 3, 64, 64), r'gives \(1, 2, 6\), but for 3 classes'),
        ({'decode': 'detr'}, (1, 3, 64, 64), 'decode: the model gives o .*takes boxes'),
        ({'providers': ['CUDAExecutionProvidr']}, (1, 3, 64, 64), 'is not available'),
    ],
)
def test_what_only_the_model_knows_is_told_at_the_first_picture(
    make_onnx: Callable[..., str],
    arguments: dict[str, Any],
    shape: tuple[Any, ...],
    message: str,
) -> None:
    made = teacher(make_onnx({'o': (ROWS, BRIGHT)}, shape), **arguments)
    with pytest.raises(UserError, match=message):
        made.predict([picture(64, 64, 255)])


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / 'a.onnx').write_bytes(b'no model')
    with pytest.raises(UserError, match='cannot be loaded'):
        teacher(str(tmp_path / 'a.onnx')).predict([picture(8, 8, 1)])


def test_a_model_of_whole_numbers_takes_no_normalised_pixels(make_onnx: Callable[..., str]) -> None:
    model = make_onnx({'o': (ROWS, BRIGHT)}, dtype=TensorProto.UINT8)
    (found,) = teacher(model).predict([picture(64, 64, 204)])
    assert found.scores.tolist() == pytest.approx([0.8])
    for wrong in ({'std': [255.0]}, {'mean': [128.0]}):
        with pytest.raises(UserError, match=r'^preprocess: mean and std .* the model takes uint8'):
            teacher(model, preprocess=wrong).predict([picture(64, 64, 204)])


def test_class_names_that_the_model_holds_are_compared(make_onnx: Callable[..., str]) -> None:
    path = make_onnx({'o': (ROWS, BRIGHT)})
    model = onnx.load(path)
    helper.set_model_props(model, {'names': "{0: 'a', 1: 'b', 2: 'c'}", 'task': 'detect'})
    onnx.save(model, path)
    assert len(teacher(path).predict([picture(64, 64, 204)])[0]) == 1
    with pytest.raises(UserError, match=r"^classes: 'b' is given as class number 0"):
        teacher(path, classes=['b', 'a', 'c']).predict([picture(64, 64, 204)])


@pytest.mark.parametrize(
    ('beside', 'message'),
    [
        # Who made a model may not name what runs.
        ({'classes': ['cat'], 'decode': 'os.system'}, "decode: 'os.system' is not one of mmdeploy"),
        ({'classes': ['cat'], 'decode': {'type': 'a.b'}}, "decode: 'a.b' is not one of"),
        ({'classes': ['cat'], 'decode': 5}, 'is wrong: decode: 5 is not'),
        ({'classes': 5, 'decode': 'detr'}, 'is wrong: classes: 5 is not'),
        (
            {'classes': ['cat'], 'decode': 'detr', 'preprocess': 'none'},
            r"preprocess: 'none' is not",
        ),
        ({'classes': ['cat']}, 'decode: is missing, and so is that of'),
        # Jsons of the same name that are of something else.
        ({'images': []}, 'classes: is missing'),
        ([], 'classes: is missing'),
    ],
)
def test_a_json_beside_a_model_holds_plain_values(
    tmp_path: Path, beside: Any, message: str
) -> None:
    (tmp_path / 'a.onnx').write_bytes(b'')
    (tmp_path / 'a.json').write_text(json.dumps(beside))
    config = {'type': 'mmcompose.ONNXTeacher', 'model': str(tmp_path / 'a.onnx')}
    with pytest.raises(UserError, match=message):
        build(TEACHERS, config, 'teacher')
    if not isinstance(beside, dict) or 'images' in beside:
        given = {**config, 'classes': ['cat'], 'decode': 'detr'}
        assert build(TEACHERS, given, 'teacher').classes == ('cat',)


def test_the_json_beside_a_model_holds_what_the_teacher_takes() -> None:
    taken = constructor_types(ONNXTeacher)
    checked = constructor_types(TensorTeacher)
    for name in ('classes', 'decode', 'preprocess'):
        assert taken[name] == checked[name] | None


def test_weights_beside_a_graph_are_part_of_what_it_is(
    make_onnx: Callable[..., str], tmp_path: Path
) -> None:
    path = make_onnx({'dets': (np.zeros((1, 5), np.float32), 0), 'labels': (np.zeros(1), 0)})
    config = {'type': 'mmcompose.ONNXTeacher', 'model': path, 'classes': ['cat']}
    config['decode'] = 'mmdeploy'
    alone = build(TEACHERS, config, 'teacher').identity
    assert 'weights' not in alone
    # Of names of any length.
    for name in ('toy.bin', f'{"weights" * 30}.bin'):
        onnx.save(
            onnx.load(path), path, save_as_external_data=True, location=name, size_threshold=0
        )
        before = build(TEACHERS, config, 'teacher').identity
        weights = tmp_path / name
        weights.write_bytes(bytes(weights.stat().st_size))
        os.utime(weights, (0, 0))
        after = build(TEACHERS, config, 'teacher').identity
        assert len(before['weights']) == 1 and before['weights'] != after['weights']
        assert {**before, 'weights': after['weights']} == after
        # Those of the next turn are read from the graph again.
        weights.unlink()
        path = make_onnx({'dets': (np.zeros((1, 5), np.float32), 0), 'labels': (np.zeros(1), 0)})
