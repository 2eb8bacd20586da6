"""Tests of tools/split.py: what it writes and says, and its exit code."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

TOOL = str(Path(__file__).parents[2] / 'tools' / 'split.py')


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, 'argv', ['split.py', *map(str, arguments)])
    try:
        runpy.run_path(TOOL, run_name='__main__')
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_it_names_the_files_that_it_writes(
    truth: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ('--percent', 25, 50, '--counts', 1, '--folds', 2, '--seed', 3, '--out', 'out')
    assert _run(monkeypatch, truth, *arguments) == 0
    said = capsys.readouterr().out
    written = sorted(str(path) for path in Path('out').iterdir())
    assert len(written) == 12
    assert all(name in said for name in written)


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        ((), 'error: --percent: is missing; give it, or counts'),
        (('--percent', 1), 'error: --percent: 1 of 8 images are 0: neither part may be empty'),
        (('--counts', 2, '--folds', 0), 'error: --folds: 0 is not above 0'),
        (('--counts', 2, '--seed', -1), 'error: --seed: -1 is below 0'),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: tuple[object, ...],
    says: str,
    truth: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(monkeypatch, truth, *arguments, '--out', tmp_path / 'out') == 2
    assert capsys.readouterr().err.strip() == says
    assert not (tmp_path / 'out').exists()


def test_what_is_doubtful_may_be_allowed(
    truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(Path(truth).read_text())
    for each in content['annotations']:
        x, y, width, height = each['bbox']
        each['bbox'] = [x, y, x + width, y + height]
    path = tmp_path / 'corners.json'
    path.write_text(json.dumps(content))
    arguments = (path, '--counts', 2, '--out', tmp_path / 'out')
    assert _run(monkeypatch, *arguments) == 2
    told = capsys.readouterr().err
    assert "and not as x1, y1, x2, y2; allow=['box-form'] makes this a warning" in told
    assert _run(monkeypatch, *arguments, '--allow', 'box-forms') == 2
    assert "'box-forms' is no check; did you mean 'box-form'?" in capsys.readouterr().err
    assert _run(monkeypatch, *arguments, '--allow', 'box-form') == 0
