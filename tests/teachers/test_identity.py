"""Tests of what addresses a teacher's predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
