"""Tests of what addresses a teacher's predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from mmcompose.registry import TEACHERS, build
from mmcompose.teachers import FunctionTeacher, HuggingFaceTeacher, teacher_identity

HTTP = {
    'type': 'mmcompose.HTTPTeacher',
    'url': 'http://localhost:8000',
    'model': 'toy',
    'classes': ['cat'],
    'decode': 'ultralytics',
    'preprocess': {'scale': (64, 64)},
}


def weighted(pixels: Any, **arguments: Any) -> Any:
    """A detector of the user's own that takes anything, and finds nothing."""
    return np.zeros((0, 4)), np.zeros(0), np.zeros(0)


def function(**arguments: Any) -> dict[str, Any]:
    return {
        'type': 'mmcompose.FunctionTeacher',
        'function': f'{__name__}.weighted',
        'classes': ['cat'],
        'arguments': arguments,
    }


def identity(config: dict[str, Any], /, **changes: Any) -> str:
    config = {**config, **changes}
    return teacher_identity(config, build(TEACHERS, config, 'teacher'))


@pytest.mark.parametrize('kind', [str, Path])
def test_a_file_stands_for_its_content(kind: type, tmp_path: Path) -> None:
    one, other = tmp_path / 'one.pth', tmp_path / 'other.pth'
    one.write_bytes(b'weights')
    other.write_bytes(b'weights')
    before = identity(function(weights=kind(one)))
    assert before == identity(function(weights=kind(other)))
    one.write_bytes(b'trained further')
    assert before != identity(function(weights=kind(one)))


@pytest.mark.parametrize('kind', [str, Path])
def test_a_folder_stands_for_all_that_is_in_it(kind: type, tmp_path: Path) -> None:
    (tmp_path / 'sub').mkdir()
    file = tmp_path / 'sub' / 'weights'
    file.write_bytes(b'weights')
    before = identity(function(model=kind(tmp_path)))
    file.write_bytes(b'trained further')
    assert before != identity(function(model=kind(tmp_path)))


def test_a_teacher_may_be_given_by_its_class() -> None:
    assert identity({**function(), 'type': FunctionTeacher}) == identity(
        {**function(), 'type': FunctionTeacher}
    )


def test_a_long_text_is_no_path() -> None:
    assert identity(function(prompt='x' * 300)) != identity(function(prompt='y' * 300))


@pytest.mark.parametrize('name', ['cat', 'ultralytics', 'toy'])
def test_a_folder_that_bears_a_name_is_no_part_of_the_teacher(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = identity(HTTP)
    (tmp_path / name).mkdir()
    (tmp_path / name / 'huge.zip').write_bytes(b'')
    assert identity(HTTP) == before


def test_how_a_server_is_asked_is_no_part_of_the_teacher() -> None:
    before = identity(HTTP)
    limits = {'timeout': 5, 'retries': 0, 'backoff': 1, 'time_limit': 7, 'size_limit': 9}
    assert identity(HTTP, **limits, batch_size=1, concurrency=1) == before
    for name in ('Authorization', 'x-api-key'):
        assert identity(HTTP, headers={name: 'x' * 300}) == before
    assert identity(HTTP, url='http://localhost:8000', binary=False) == before


@pytest.mark.parametrize(
    'changes',
    [
        {'model': 'other'},
        {'version': '2'},
        {'decode': 'detr'},
        {'preprocess': {'scale': (32, 32)}},
        {'headers': {'Host': 'second.example.com'}},
    ],
)
def test_what_chooses_a_servers_model_is_part_of_the_teacher(changes: dict[str, Any]) -> None:
    assert identity(HTTP, **changes) != identity(HTTP)


def test_the_case_of_a_headers_name_does_not_count() -> None:
    assert identity(HTTP, headers={'HOST': 'a'}) == identity(HTTP, headers={'Host': 'a'})


@pytest.fixture
def config(teacher_config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """A teacher whose config file a test may change."""
    path = tmp_path / 'config.py'
    path.write_text(Path(teacher_config['config']).read_text())
    return {**teacher_config, 'config': str(path)}


def test_where_an_mmdet_model_was_tested_is_no_part_of_the_teacher(config: dict[str, Any]) -> None:
    before, path = identity(config), Path(config['config'])
    text = path.read_text()
    path.write_text(f'{text}# a comment\nval_dataloader = dict(num_workers=7)\n')
    assert identity(config) == before
    assert identity(config, cfg_options={'test_dataloader.dataset.data_root': 'moved'}) == before
    path.write_text(text.replace('score_thr=0.3', 'score_thr=0.2'))
    assert identity(config) != before
    assert identity(config, cfg_options={'model.test_cfg.score_thr': 0.3}) == before


@pytest.mark.parametrize(
    'line',
    [
        "default_scope = 'mmengine'",
        "custom_imports = dict(imports=['tests.toys'], allow_failed_imports=False)",
    ],
)
def test_what_an_mmdet_configs_types_name_is_part_of_the_teacher(
    line: str, config: dict[str, Any]
) -> None:
    before, path = identity(config), Path(config['config'])
    path.write_text(f'{path.read_text()}{line}\n')
    assert identity(config) != before


def test_an_mmdet_config_may_be_given_read(config: dict[str, Any]) -> None:
    read = Config.fromfile(config['config'])
    before = identity(config)
    assert identity(config, config=read) == before
    read.model.test_cfg.score_thr = 0.2
    assert identity(config, config=read) != before


def test_an_mmdet_models_weights_are_part_of_the_teacher(
    config: dict[str, Any], tmp_path: Path
) -> None:
    before, weights = identity(config), tmp_path / 'weights.pth'
    content = Path(config['checkpoint']).read_bytes()
    weights.write_bytes(content)
    assert identity(config, checkpoint=str(weights)) == before
    weights.write_bytes(content + b' ')
    assert identity(config, checkpoint=str(weights)) != before


def test_what_fits_into_memory_is_no_part_of_a_teacher_whose_batches_are_of_one_shape(
    config: dict[str, Any], make_onnx: Callable[..., str]
) -> None:
    del config['device']
    assert identity(config, batch_size=1, device='cpu') == identity(config)
    assert identity(config, half_precision=True) != identity(config)
    rows = np.zeros((1, 6), np.float32)
    onnx = {'type': 'mmcompose.ONNXTeacher', 'classes': ['cat'], 'decode': 'ultralytics'}
    onnx['model'] = make_onnx({'o': (rows, rows)})
    assert identity(onnx, batch_size=1, num_threads=1) == identity(onnx)
    # It is where a processor pads the pictures of a batch.
    assert 'batch_size' not in HuggingFaceTeacher.unaddressed


def test_members_of_an_ensemble_count_as_they_do_alone(
    config: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / 'weights'
    file.write_bytes(b'weights')

    def both(member: dict[str, Any], **arguments: Any) -> str:
        members = [member, {**config, 'classes': ['cat', 'dog', 'tree']}]
        return identity({'type': 'mmcompose.EnsembleTeacher', 'members': members, **arguments})

    own = {**function(weights=Path(file)), 'classes': ['cat', 'dog', 'tree']}
    before = both(own)
    assert both({**own, 'arguments': {'weights': str(file)}}) == before
    assert both(config) == both({**config, 'batch_size': 1, 'masks': True})
    fusion = {'type': 'mmcompose.WeightedBoxesFusion'}
    assert both(own, fusion=fusion, flip=False) == before
    assert both(own, fusion={**fusion, 'iou_thr': 0.7}) != before
    file.write_bytes(b'trained further')
    assert both(own) != before


def test_an_ensemble_predicts_anew_where_its_fusion_computes_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mmcompose.labeling import WeightedBoxesFusion

    ensemble = {'type': 'mmcompose.EnsembleTeacher', 'members': [function(), function(a=1)]}
    before = identity(ensemble)
    monkeypatch.setattr(WeightedBoxesFusion, 'revision', 999)
    assert identity(ensemble) != before
