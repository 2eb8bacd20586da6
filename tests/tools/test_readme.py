"""The commands of the README, typed as they stand there: on a toy config, from plan to ONNX."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmcompose.cli import VERBS, module
from mmcompose.teachers.mmdet.model import build_model
from tests.teachers.conftest import CONFIG, _make_onnx
from tests.tools.running import ROOT, run_here, write_config, write_teacher

README = (ROOT / 'README.md').read_text(encoding='utf-8')
# An upload needs a hub; tests/commands/test_push.py has one.
LEFT_OUT = ('push',)


def _lines() -> list[list[str]]:
    """Return each command of the README, without its comment."""
    (block,) = (b for b in re.findall(r'```shell\n(.*?)```', README, re.DOTALL) if 'init' in b)
    return [shlex.split(line, comments=True)[1:] for line in block.splitlines()]


def test_all_that_is_typed_is_a_verb() -> None:
    verbs = [line[0] for line in _lines()]
    assert set(verbs) <= set(VERBS) and {'plan', 'train', 'report', *LEFT_OUT} <= set(verbs)


def test_the_readme_as_it_stands(pool: Path, truth: str, tmp_path: Path) -> None:
    init, *others = _lines()
    assert init[0] == 'init'
    meta = {'dataset_meta': {'classes': ('tvmonitor', 'dog', 'tree')}}
    (tmp_path / 'a.py').write_text(CONFIG)
    weights = build_model(Config.fromfile(tmp_path / 'a.py')).state_dict()
    torch.save({'state_dict': weights, 'meta': meta}, tmp_path / 'a.pth')
    outputs = {'dets': ([[0.0] * 5], None), 'labels': ([0], None)}
    _make_onnx(tmp_path / 'b.onnx', outputs)
    (tmp_path / 'photographs').symlink_to(pool)
    _type(init, {'CONFIG': 'made.py'}, tmp_path)
    write_teacher(tmp_path)
    write_config(tmp_path, pool, truth, card={'pictures': 4}, work_dir='work')
    named = {'CONFIG': 'compose.py', 'CHECKPOINT': 'work/epoch_1.pth'}
    for line in others:
        if line[0] not in LEFT_OUT:
            _type(line, named, tmp_path)
    left = {path.name for path in tmp_path.iterdir()} | {p.name for p in tmp_path.glob('work/*')}
    wanted = {'made.py', 'card.html', 'card.md', 'label_studio.json', 'yolo', 'epoch_1.onnx'}
    assert wanted <= left


def _type(line: list[str], names: dict[str, str], folder: Path) -> None:
    verb, *arguments = (names.get(word, word) for word in line)
    done = run_here(f'tools/{verb.replace("-", "_")}.py', *arguments, cwd=folder)
    assert done.returncode == 0, f'{line}: {done.stderr[-2000:]}'


@pytest.mark.parametrize('verb', VERBS)
def test_every_verb_tells_what_it_does_in_one_line(verb: str) -> None:
    assert (module(verb).__doc__ or '').count('\n') == 0
