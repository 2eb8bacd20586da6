"""Tests of the card that a training run leaves beside its checkpoint."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS

from mmcompose.engine import resolve
from mmcompose.engine.checked import resolve_checked
from mmcompose.utils import UserError
from tests.engine.toys import add_pool, student_config


def _scalars(work: Path) -> dict[str, float]:
    (path,) = work.rglob('scalars.json')
    merged: dict[str, float] = {}
    for line in path.read_text().splitlines():
        merged |= json.loads(line)
    return merged


def test_a_run_leaves_its_card_and_its_table(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('sys.argv', ['train.py', 'my c.py', '--cfg-options', 'a.b=1'])
    card = {'pictures': 4, 'max_scored': 8}
    config = student_config(pool, truth, tmp_path, experiment_name='card', card=card)
    RUNNERS.build(config).train()
    work = tmp_path / 'work'
    text = (work / 'card.html').read_text(encoding='utf-8')
    assert 'one model in place of 2' in text
    assert "<pre>train.py 'my c.py' --cfg-options a.b=1\n" in html.unescape(text)
    assert 'student, against the labels' in text and 'pseudo-labels, against the truth' in text
    assert '| student |' in (work / 'card.md').read_text()
    scalars = _scalars(work)
    assert scalars['labels/red/kept'] == 7 and scalars['labels/red/ignored'] == 0
    assert scalars['composition/fused/mAP'] == 1
    assert {'composition/first/AP50', 'composition/student/mAP'} <= set(scalars)


def test_a_large_validation_set_is_not_predicted_by_all_teachers(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    card = {'pictures': 4, 'max_scored': 7}
    config = student_config(pool, truth, tmp_path, experiment_name='large', card=card)
    RUNNERS.build(config).train()
    text = (tmp_path / 'work' / 'card.html').read_text(encoding='utf-8')
    assert 'one model in place of' not in text and 'student, against the labels' in text


def _hooks(config: Config) -> list[str]:
    return [hook['type'] for hook in resolve(config).config.custom_hooks]


def test_it_is_written_where_a_config_sets_it(pool: Path, truth: str, tmp_path: Path) -> None:
    assert Config.fromfile('configs/_base_/default_compose.py').card.pictures == 200
    config = student_config(pool, truth, tmp_path, card={})
    assert 'mmcompose.CompositionCardHook' in _hooks(config)
    config.card = None
    assert 'mmcompose.CompositionCardHook' not in _hooks(config)


@pytest.mark.parametrize(
    ('card', 'line'),
    [
        ({'pictures': 0}, r'card\.pictures: 0 is not in \[1, 500\]'),
        ({'picturs': 4}, r"card: 'picturs' is not a key here.*did you mean 'pictures'"),
        (True, 'card: True'),
    ],
)
def test_mistakes(card: object, line: str, pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    config.card = card
    with pytest.raises(UserError, match=line):
        resolve_checked(config)


def test_a_student_without_test_pipeline_is_told_before_its_training(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path, card={})
    for name in ('val', 'test'):
        config[f'{name}_dataloader'] = config[f'{name}_evaluator'] = config[f'{name}_cfg'] = None
    with pytest.raises(UserError, match=r'^test_pipeline: is missing, .* card=None writes no card'):
        resolve_checked(config)
    config.card = None
    resolve_checked(config)


def test_of_several_pools_the_card_tells_which_it_shows(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.engine.hooks.card.warn', told.append)
    card = {'pictures': 4, 'max_scored': 1}
    config = student_config(pool, truth, tmp_path, experiment_name='pools', card=card)
    add_pool(config, tmp_path / 'second')
    RUNNERS.build(config).train()
    assert told == ['the card shows the first of 2 pools; a config of each has its own']
    assert ', the first of 2 pools\n' in (tmp_path / 'work' / 'card.md').read_text()
