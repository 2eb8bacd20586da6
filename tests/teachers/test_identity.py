"""Tests of what addresses a teacher's predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from mmcompose.registry import TEACHERS, build
from mmcompose.teachers import FunctionTeacher, teacher_identity


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
