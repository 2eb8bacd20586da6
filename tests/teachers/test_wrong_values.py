"""Each kind of teacher, with each kind of wrong value: one line that begins with the argument."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image
from mmcompose.utils import UserError

ROWS = np.array([[8, 16, 40, 48, 0.5, 0]], np.float32)
HTTP = {'url': 'http://127.0.0.1:9', 'model': 'a', 'classes': ['a'], 'decode': 'detr'}


@pytest.fixture
def valid(
    teacher_config: dict[str, Any], make_onnx: Callable[..., str], tmp_path: Path
) -> dict[str, dict[str, Any]]:
    """A config of each kind that could be built."""
    (tmp_path / 'results.json').write_text('[]')
    images = {'images': [], 'categories': [{'id': 1, 'name': 'a'}]}
    (tmp_path / 'images.json').write_text(json.dumps(images))
    return {
        'MMDetTeacher': {name: teacher_config[name] for name in ('config', 'checkpoint')},
        'ONNXTeacher': {
            'model': make_onnx({'o': (ROWS, np.zeros_like(ROWS))}),
            'classes': ['a'],
            'decode': 'ultralytics',
        },
        'HuggingFaceTeacher': {'model': str(tmp_path), 'classes': ['a']},
        'HTTPTeacher': {**HTTP, 'preprocess': {'scale': (8, 8)}},
        'COCOResultsTeacher': {
            'results': str(tmp_path / 'results.json'),
            'images': str(tmp_path / 'images.json'),
        },
        'FunctionTeacher': {'function': 'math.sqrt', 'classes': ['a']},
        'EnsembleTeacher': {'members': [teacher_config], 'flip': True},
    }


@pytest.mark.parametrize(
    ('kind', 'wrong', 'line'),
    [
        ('MMDetTeacher', {'checkpoint': 3}, 'checkpoint: 3 is not a string or None'),
        ('MMDetTeacher', {'config': 3}, 'config: 3 cannot be read as a config'),
        ('MMDetTeacher', {'classes': 3}, 'classes: 3 is not a string or a list of strings'),
        ('MMDetTeacher', {'batch_size': 0}, 'batch_size: 0 is not 1 or more'),
        ('MMDetTeacher', {'batch_size': '8'}, "batch_size: '8' is not a whole number"),
        ('MMDetTeacher', {'device': 'cdua'}, "device: 'cdua' is no device of torch; did you mean"),
        ('MMDetTeacher', {'device': 'cuda:99'}, "device: 'cuda:99' is not there"),
        ('MMDetTeacher', {'device': 'meta'}, "device: 'meta' is not there"),
        ('MMDetTeacher', {'device': 'hpu'}, "device: 'hpu' is not there"),
        ('MMDetTeacher', {'texts': ['cat']}, 'texts: .* is no model that reads text'),
        ('MMDetTeacher', {'texts': 'cat'}, "texts: 'cat' is not a list of strings"),
        ('MMDetTeacher', {'tta': 'yes'}, "tta: 'yes' is not True or False"),
        ('MMDetTeacher', {'cfg_options': ['a']}, "cfg_options: \\['a'\\] is not a dict"),
        ('MMDetTeacher', {'torch_compile': 'max'}, "torch_compile: 'max' is not True or False or"),
        (
            'MMDetTeacher',
            {'torch_compile': {'bakend': 'eager'}},
            "torch_compile: 'bakend' is not a key here .* did you mean 'backend'",
        ),
        (
            'MMDetTeacher',
            {'torch_compile': {'backend': 'eagre'}},
            "backend: 'eagre' is no backend of torch.compile; did you mean 'eager'",
        ),
        ('ONNXTeacher', {'model': 3}, 'model: 3 is not a string'),
        ('ONNXTeacher', {'classes': []}, 'classes: is empty'),
        ('ONNXTeacher', {'classes': ['a', 'a']}, "classes: 'a' listed twice"),
        ('ONNXTeacher', {'decode': 3}, 'decode: 3 is not a string or a dict'),
        ('ONNXTeacher', {'preprocess': 3}, 'preprocess: 3 is not a dict'),
        ('ONNXTeacher', {'batch_size': -1}, 'batch_size: -1 is not 1 or more'),
        ('ONNXTeacher', {'preprocess': {'mean': 'abc'}}, "preprocess.mean: 'abc' is not a list"),
        ('ONNXTeacher', {'preprocess': {'std': [1, 0, 1]}}, r'preprocess.std: \[1, 0, 1\] is div'),
        ('ONNXTeacher', {'preprocess': {'pad_val': 'x'}}, "pad_val: 'x' is not a whole number"),
        ('ONNXTeacher', {'decode': 'math.hypot'}, "decode: 'math.hypot' takes no outputs"),
        (
            'ONNXTeacher',
            {'decode': {'type': 'yolox', 'score_thr': 'a'}},
            "decode.score_thr: 'a' is not a number",
        ),
        ('ONNXTeacher', {'num_threads': 0}, 'num_threads: 0 is not 1 or more'),
        ('ONNXTeacher', {'num_threads': 1.5}, 'num_threads: 1.5 is not a whole number or None'),
        ('HuggingFaceTeacher', {'model': 3}, 'model: 3 is not a string'),
        ('HuggingFaceTeacher', {}, 'model: .* is no folder of save_pretrained'),
        ('HuggingFaceTeacher', {'score_thr': '0.1'}, "score_thr: '0.1' is not a number"),
        ('HuggingFaceTeacher', {'score_thr': 1.5}, 'score_thr: 1.5 is not in'),
        ('HTTPTeacher', {'url': 8000}, 'url: 8000 is not a string'),
        ('HTTPTeacher', {'timeout': '1'}, "timeout: '1' is not a number"),
        ('HTTPTeacher', {'timeout': 0}, 'timeout: 0 is not above 0'),
        ('HTTPTeacher', {'retries': -1}, 'retries: -1 is not 0 or more'),
        ('HTTPTeacher', {'concurrency': 0}, 'concurrency: 0 is not 1 or more'),
        ('HTTPTeacher', {'backoff': -0.5}, 'backoff: -0.5 is not 0 or more'),
        ('HTTPTeacher', {'headers': 'a: b'}, "headers: 'a: b' is not a dict"),
        ('COCOResultsTeacher', {'results': 'no.json'}, "results: 'no.json' is no file or folder"),
        ('COCOResultsTeacher', {'images': 3}, 'images: 3 is not a string or None'),
        ('FunctionTeacher', {'function': 'math'}, "function: 'math' cannot be imported"),
        ('FunctionTeacher', {'function': 'math.sqr'}, "is no function of math; did you mean 'math"),
        ('FunctionTeacher', {'function': 'math.pi'}, "function: 'math.pi' is no function of math"),
        (
            'FunctionTeacher',
            {'function': 'tests.toys.see', 'arguments': {'colors': ['red']}},
            'arguments: .* do not fit function',
        ),
        ('FunctionTeacher', {'arguments': [1]}, 'arguments: \\[1\\] is not a dict'),
        ('EnsembleTeacher', {'members': 'a'}, "members: 'a' is not a list"),
        ('EnsembleTeacher', {'flip': False}, 'members: 1 is no ensemble'),
        ('EnsembleTeacher', {'fusion': 'wbf'}, "fusion: 'wbf' is not a dict"),
        ('EnsembleTeacher', {'members': [{'type': 'A'}]}, "members\\[0\\].type: 'A' is not a reg"),
    ],
)
def test_a_wrong_value_is_one_line(
    valid: dict[str, dict[str, Any]], kind: str, wrong: dict[str, Any], line: str
) -> None:
    config = {'type': f'mmcompose.{kind}', **valid[kind], **wrong}
    with pytest.raises(UserError) as caught:
        build(TEACHERS, config, 'composition.teachers.wrong')
    (problem,) = caught.value.lines
    assert '\n' not in problem
    assert problem.startswith('composition.teachers.wrong.')
    assert re.search(line, problem), problem


@pytest.mark.parametrize(
    'text', ['0 0.5 0.5 1 1', '0.5 0.5 0.5 1 1 0.9', 'cat 0.5 0.5 1 1 0.9', '0 0.5 0.5 1 1 0.9 7']
)
def test_a_line_of_text_that_is_no_box_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / 'a.txt').write_text(f'0 0.5 0.5 1 1 0.5\n{text}\n')
    config = {'type': 'COCOResultsTeacher', 'results': str(tmp_path), 'classes': ['cat']}
    teacher = build(TEACHERS, config, 'teacher')
    with pytest.raises(UserError, match=r'results: .*a\.txt. has a line that is not "class cx'):
        teacher.predict([Image('a.jpg', 'a.jpg', 8, 8)])


def test_an_entry_without_its_name_is_told(tmp_path: Path) -> None:
    (tmp_path / 'results.json').write_text('[]')
    (tmp_path / 'images.json').write_text('{"images": [{"id": 1}], "categories": []}')
    config = {
        'type': 'COCOResultsTeacher',
        'results': str(tmp_path / 'results.json'),
        'images': str(tmp_path / 'images.json'),
    }
    with pytest.raises(UserError, match=r'has no file_name in images\[0\]'):
        build(TEACHERS, config, 'teacher')
