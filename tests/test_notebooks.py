"""Tests of docs/notebooks: their cells run, one after another, on the digits of scikit-learn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / 'docs' / 'notebooks').glob('*.ipynb'))
# The notebooks' last figure: what the labels are, held against the truth.
AT_THE_END = 'import json; print(json.dumps(error_kinds(pseudo_labels, truth, as_many=False)))'


@pytest.mark.parametrize('notebook', NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_run(notebook: Path, tmp_path: Path) -> None:
    cells = json.loads(notebook.read_text(encoding='utf-8'))['cells']
    code = [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']
    run = subprocess.run(
        [sys.executable, '-c', '\n'.join([*code, AT_THE_END])],
        cwd=tmp_path,
        env={**os.environ, 'MPLBACKEND': 'agg', 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    kinds = json.loads(run.stdout.splitlines()[-1])
    assert kinds['right'] > 130 and sum(kinds.values()) - kinds['right'] < 30


def test_there_are_some() -> None:
    assert [path.stem for path in NOTEBOOKS] == ['compose_two_detectors']
