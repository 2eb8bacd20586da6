"""docs/add_a_teacher.md works when it is followed letter by letter."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / 'projects' / 'example_teacher'
PAGE = (ROOT / 'docs' / 'add_a_teacher.md').read_text(encoding='utf-8')
FILE = re.compile(r'`([\w/.]+)`:\n\n```python\n(.*?)```', re.DOTALL)
COMMANDS = re.compile(r'```bash\n(.*?)```(?:\n\n```text\n(.*?)```)?', re.DOTALL)


def _run(command: str, folder: Path) -> str:
    # The page says `python`; here that is this one.
    python = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    result = subprocess.run(
        ['bash', '-euc', command],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, 'PATH': python},
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_page_can_be_followed_letter_by_letter(tmp_path: Path) -> None:
    page = PAGE.replace('/path/to/mmcompose', str(ROOT))
    files = FILE.findall(page)
    assert [name for name, _ in files] == ['example_teacher/__init__.py', 'try_it.py', 'spots.py']
    for name, content in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    for command, printed in COMMANDS.findall(page):
        assert printed.strip() in _run(command, tmp_path)
    labels = json.loads((tmp_path / 'spots.json').read_text())
    assert [category['name'] for category in labels['categories']] == ['spot']
    assert [label['bbox'] for label in labels['annotations']] == [[40, 30, 80, 60]]


def test_the_page_shows_the_example_as_it_is() -> None:
    source = (PROJECT / 'example_teacher' / '__init__.py').read_text(encoding='utf-8')
    assert dict(FILE.findall(PAGE))['example_teacher/__init__.py'] == source
    assert len(source.splitlines()) <= 40


def test_the_example_project_passes_its_own_test() -> None:
    paths = f'PYTHONPATH={PROJECT}:{ROOT}'
    _run(f'{paths} python -m pytest -q -p no:cacheprovider {PROJECT}', PROJECT)


@pytest.mark.parametrize('name', ['configs/bright-spots_retinanet-r18.py'])
def test_the_example_config_is_a_composition(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmcompose.commands.config_files import read_compose_config

    monkeypatch.syspath_prepend(PROJECT)
    config = read_compose_config(str(PROJECT / name))
    assert config.composition.teachers.spots.type == 'BrightSpotTeacher'
