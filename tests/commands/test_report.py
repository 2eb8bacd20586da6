"""Tests of the card of a config."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mmcompose.commands.report import report
from mmcompose.utils import UserError
from tests.engine.toys import student_config


def test_a_config_gets_its_card(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    page = report(config, out=str(tmp_path / 'card'), pictures=4)
    text = page.read_text(encoding='utf-8')
    assert '8 images, 21 labels' in text.replace('\n', ' ')
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert data is not None and len(json.loads(data[1])['pictures']) == 4
    table = (tmp_path / 'card' / 'card.md').read_text(encoding='utf-8')
    assert re.search(r'^\| fused \| [01]\.\d{3} \|', table, re.MULTILINE)
    assert '- first: `FunctionTeacher ' in table


def test_it_is_held_against_labels_of_the_pool(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    config.val_dataloader = config.val_evaluator = config.val_cfg = None
    page = report(config, out=str(tmp_path / 'none'), pictures=4)
    assert 'against the truth' not in page.read_text(encoding='utf-8')
    page = report(config, out=str(tmp_path / 'card'), pictures=4, ann_file=truth)
    text = page.read_text(encoding='utf-8')
    # 21 labels, all of them right; each teacher is held against what it knows.
    assert '<tr><td>labels, against the truth</td><td>21</td><td>0</td>' in text
    assert '<tr><td>first, against the truth</td><td>14</td><td>0</td>' in text
    assert 'Calibration' in text and '| fused |' in (page.parent / 'card.md').read_text()


def test_mistakes_come_before_any_work(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    with pytest.raises(UserError, match='--pictures: 0 is not a number from 1 to 500'):
        report(config, pictures=0)
    with pytest.raises(UserError, match=r'--student: .* is no file'):
        report(config, student=str(tmp_path / 'none.pth'))
    assert not (tmp_path / 'store').exists()
