"""Every teacher that configs/_base_/teachers shows takes the arguments it is given."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from mmengine.config import Config

from mmcompose.registry import TEACHERS, find
from mmcompose.teachers.decoders import make_decoder
from mmcompose.teachers.preprocess import Preprocess

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'teachers'
FILES = sorted(path.name for path in FOLDER.glob('*.py'))


@pytest.mark.parametrize('name', FILES)
def test_its_arguments_are_known(name: str) -> None:
    arguments = Config.fromfile(FOLDER / name).teacher.to_dict()
    cls = find(TEACHERS, arguments.pop('type'), 'type')
    inspect.signature(cls).bind(**arguments)
    if 'decode' in arguments:
        make_decoder(arguments['decode'])
    Preprocess.of(arguments.get('preprocess'))


def test_every_kind_is_shown() -> None:
    shown = {Config.fromfile(FOLDER / name).teacher.type for name in FILES}
    import mmcompose.teachers as room

    kinds = {name for name in room.__all__ if name.endswith('Teacher')} - {
        'Teacher',
        'PreparedTeacher',
    }
    assert shown == {f'mmcompose.{kind}' for kind in kinds}
