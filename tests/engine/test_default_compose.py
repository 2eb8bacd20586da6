"""Tests of the file that makes a config a composition: one default, beside any other base."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

BASES = Path(__file__).parents[2] / 'configs' / '_base_'
DEFAULT = BASES / 'default_compose.py'
PIPELINES = sorted((BASES / 'label_pipelines').glob('*.py'))


def test_the_recommended_label_pipeline_is_the_default() -> None:
    composition = Config.fromfile(DEFAULT).composition
    recommended = Config.fromfile(BASES / 'label_pipelines' / 'default.py').label_pipeline
    assert composition.label_pipeline == recommended


def test_it_has_no_key_that_another_base_may_have() -> None:
    keys = {'custom_imports', 'runner_type', 'composition', 'card'}
    assert set(Config.fromfile(DEFAULT).keys()) == keys


def test_beside_imports_it_is_the_same_but_for_them() -> None:
    beside = Config.fromfile(BASES / 'default_compose_beside_imports.py').to_dict()
    default = Config.fromfile(DEFAULT).to_dict()
    assert default.pop('custom_imports')['imports'] == ['mmcompose.engine']
    assert beside == default


@pytest.mark.parametrize('path', PIPELINES, ids=lambda path: path.stem)
def test_another_label_pipeline_stands_beside_it_among_the_bases(
    path: Path, tmp_path: Path
) -> None:
    config = tmp_path / 'compose.py'
    config.write_text(
        f'_base_ = [{str(DEFAULT)!r}, {str(path)!r}]\n'
        'composition = dict(label_pipeline=_base_.label_pipeline)\n'
    )
    found = Config.fromfile(config)
    assert found.composition.label_pipeline == Config.fromfile(path).label_pipeline
    assert found.composition.store == 'work_dirs/labels'
