"""Tests of what addresses a teacher's predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmcompose.composition.identity import teacher_identity
from mmcompose.registry import TEACHERS, build
from tests import toys

TEACHER = build(TEACHERS, toys.TEACHERS['first'], 'teacher')


def _identity(**config: Any) -> str:
    return teacher_identity(config, TEACHER)


def test_a_file_stands_for_its_content(tmp_path: Path) -> None:
    one, other = tmp_path / 'one.pth', tmp_path / 'other.pth'
    one.write_bytes(b'weights')
    other.write_bytes(b'weights')
    before = _identity(checkpoint=str(one))
    assert before == _identity(checkpoint=str(other))
    one.write_bytes(b'trained further')
    assert before != _identity(checkpoint=str(one))


def test_a_folder_stands_for_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / 'sub').mkdir()
    file = tmp_path / 'sub' / 'weights'
    file.write_bytes(b'weights')
    before = _identity(model=str(tmp_path))
    file.write_bytes(b'trained further')
    assert before != _identity(model=str(tmp_path))


def test_files_of_members_count(tmp_path: Path) -> None:
    file = tmp_path / 'one.pth'
    file.write_bytes(b'weights')
    before = _identity(members=[{'checkpoint': str(file)}])
    file.write_bytes(b'trained further')
    assert before != _identity(members=[{'checkpoint': str(file)}])


@pytest.mark.parametrize('classes', ['coco', ['coco', 'cat']])
def test_a_folder_called_like_a_class_is_no_part_of_the_teacher(
    classes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = _identity(classes=classes)
    (tmp_path / 'coco').mkdir()
    (tmp_path / 'coco' / 'huge.zip').write_bytes(b'')
    assert before == _identity(classes=classes)
