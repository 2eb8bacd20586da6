"""Tests of WorkDirRollback: what a run wrote goes, and what others wrote stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmcompose.engine.work_dir_rollback import WorkDirRollback
from tests.toys import files_below

CONFIG = '/somewhere/student.py'


def _run(work_dir: Path, config: str | None) -> WorkDirRollback:
    """Write what MMEngine's Runner does as it is built."""
    traces = WorkDirRollback(work_dir, config)
    (work_dir / 'now').mkdir(parents=True, exist_ok=True)
    (work_dir / 'now' / 'now.log').touch()
    (work_dir / ('student.py' if config else 'now.py')).write_text('this run')
    return traces


@pytest.mark.parametrize('config', [CONFIG, None])
def test_of_a_new_work_dir_nothing_is_left(tmp_path: Path, config: str | None) -> None:
    work_dir = tmp_path / 'runs' / 'work'
    _run(work_dir, config).undo(work_dir / 'now', work_dir / 'now.py')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('config', [CONFIG, None])
def test_what_was_there_is_as_it_was(tmp_path: Path, config: str | None) -> None:
    (tmp_path / 'student.py').write_text('an earlier run')
    (tmp_path / 'epoch_1.pth').touch()
    before = files_below(tmp_path)
    _run(tmp_path, config).undo(tmp_path / 'now', tmp_path / 'now.py')
    assert files_below(tmp_path) == before


def test_what_others_wrote_meanwhile_stays(tmp_path: Path) -> None:
    work_dir = tmp_path / 'runs' / 'work'
    traces = _run(work_dir, CONFIG)
    (work_dir / 'another').touch()
    traces.undo(work_dir / 'now', work_dir / 'now.py')
    assert set(files_below(tmp_path)) == {'runs/work/another'}


@pytest.mark.parametrize('config', [CONFIG, None])
def test_what_a_run_of_the_same_second_wrote_stays(tmp_path: Path, config: str | None) -> None:
    _run(tmp_path, config)
    before = files_below(tmp_path)
    _run(tmp_path, config).undo(tmp_path / 'now', tmp_path / 'now.py')
    assert files_below(tmp_path) == before
