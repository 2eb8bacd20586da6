"""Label transforms that live in packages of their own: short, and run as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECTS = Path(__file__).resolve().parents[2] / 'projects'
MOST_LINES = {'example_filter': 25, 'example_fusion': 25, 'example_calibration': 30}


@pytest.mark.parametrize(('name', 'most'), MOST_LINES.items())
def test_a_kind_of_transform_is_one_short_file(name: str, most: int) -> None:
    files = list((PROJECTS / name / name).glob('*.py'))
    assert [file.name for file in files] == ['__init__.py']
    assert len(files[0].read_text(encoding='utf-8').splitlines()) <= most


def test_the_packages_pass_their_tests() -> None:
    folders = [PROJECTS / name for name in MOST_LINES]
    path = os.pathsep.join([*map(str, folders), str(PROJECTS.parent)])
    run = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-n', '0', *folders],
        env={**os.environ, 'PYTHONPATH': path},
        capture_output=True,
        text=True,
        cwd=PROJECTS,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert '5 passed' in run.stdout
