"""Tests of which checkpoint a run resumes from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from mmcompose.engine.last_checkpoint import last_checkpoint
from mmcompose.utils import UserError


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    """The work directory of three epochs."""
    for number in (1, 2, 3):
        path = tmp_path / f'epoch_{number}.pth'
        torch.save({'state_dict': {'weight': torch.zeros(1000)}, 'optimizer': {}}, path)
        os.utime(path, (number, number))
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    return tmp_path


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_it_is_the_last(work_dir: Path) -> None:
    assert last_checkpoint(work_dir) == str(work_dir / 'epoch_3.pth')


def test_one_that_was_cut_short_is_passed_over(work_dir: Path) -> None:
    _cut(work_dir / 'epoch_3.pth')
    assert last_checkpoint(work_dir) == str(work_dir / 'epoch_2.pth')


def test_one_without_an_optimizer_is_passed_over(work_dir: Path) -> None:
    torch.save({'state_dict': {'weight': torch.zeros(1000)}}, work_dir / 'best_mAP_epoch_3.pth')
    _cut(work_dir / 'epoch_3.pth')
    assert last_checkpoint(work_dir) == str(work_dir / 'epoch_2.pth')


def test_the_last_may_be_without_one(work_dir: Path) -> None:
    """The training was told to save none."""
    torch.save({'state_dict': {'weight': torch.zeros(1000)}}, work_dir / 'epoch_3.pth')
    assert last_checkpoint(work_dir) == str(work_dir / 'epoch_3.pth')


def test_none_that_can_be_read_is_told(work_dir: Path) -> None:
    for number in (1, 2, 3):
        _cut(work_dir / f'epoch_{number}.pth')
    with pytest.raises(UserError, match=r"^resume: '.*epoch_3\.pth' cannot be resumed from"):
        last_checkpoint(work_dir)


def test_a_new_work_dir_has_none(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
