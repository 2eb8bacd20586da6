"""Tests of the card of a config."""

from __future__ import annotations

import copy
import hashlib
import html
import json
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS

from mmcompose.cli import run_verb
from mmcompose.commands.evaluate import evaluate_config
from mmcompose.commands.report import report
from mmcompose.composition.parts import Parts
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import add_pool, student_config


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
    page = report(
        config, out=str(tmp_path / 'card'), pictures=4, ann_file=truth, img_prefix=str(pool)
    )
    text = page.read_text(encoding='utf-8')
    assert f' --ann {truth} --img-prefix {pool}\n' in text
    # 21 labels, all of them right; each teacher is held against what it knows.
    assert '<tr><td>pseudo-labels, against the truth</td><td>21</td><td>0</td>' in text
    assert '<tr><td>first, against the truth</td><td>14</td><td>0</td>' in text
    assert 'Calibration' in text and '| fused |' in (page.parent / 'card.md').read_text()


def test_truth_that_cannot_be_scored_on_is_told_before_teachers_predict(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    bare = {**json.loads(Path(truth).read_text()), 'annotations': []}
    (tmp_path / 'bare.json').write_text(json.dumps(bare))
    config.val_dataloader.dataset.ann_file = str(tmp_path / 'bare.json')
    config.val_evaluator = {'type': 'CocoMetric', 'metric': 'bbox'}
    with pytest.raises(UserError, match=r'val_dataloader.dataset: labels no box of a class'):
        report(config, out=str(tmp_path / 'card'), pictures=4)
    assert not (tmp_path / 'store' / 'predictions').exists()


def test_a_card_names_the_options_it_was_made_with(pool: Path, truth: str, tmp_path: Path) -> None:
    path, out = tmp_path / 'c.py', tmp_path / 'my card'
    config = student_config(pool, truth, tmp_path)
    config.val_dataloader = config.val_evaluator = config.val_cfg = None
    config.dump(path)
    store = tmp_path / 'my store'
    changes = ['composition.label_pipeline.2.keep=0.8', 'model.data_preprocessor.mean=[1, 2, 3]']
    changes.append(f'composition.store={store}')
    options = ['--cfg-options', *changes]
    run_verb('report', [str(path), *options, '--out', str(out), '--pictures', '4'])
    text = html.unescape((out / 'card.html').read_text(encoding='utf-8'))
    commands = [shlex.split(line) for line in re.findall(r'^(?:<pre>)?(mmcompose .*)', text, re.M)]
    given = [str(path), *options]
    assert commands == [
        ['mmcompose', 'label', *given],
        ['mmcompose', 'train', *given],
        ['mmcompose', 'report', *given, '--out', str(out), '--pictures', '4'],
    ]
    assert store.is_dir()


def test_a_card_with_a_table_takes_one_composition_and_reads_a_checkpoint_once(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / 'weights'
    weights.write_bytes(b'weights')
    os.utime(weights, (0, 0))
    see, digest, reads, made = toys.see, hashlib.file_digest, [], []
    monkeypatch.setattr(toys, 'see', lambda pixels, colours, weights=None: see(pixels, colours))
    monkeypatch.setattr(hashlib, 'file_digest', lambda f, n: reads.append(f.name) or digest(f, n))
    parts = Parts.make
    monkeypatch.setattr(Parts, 'make', lambda *a, **k: made.append(a) or parts(*a, **k))
    config = student_config(pool, truth, tmp_path)
    config.composition.teachers.first.arguments.weights = str(weights)
    report(config, out=str(tmp_path / 'card'), pictures=4)
    assert reads.count(str(weights)) == 1
    assert len(made) == 1


def test_mistakes_come_before_any_work(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    without = r'has no effect without a COCO json of true labels \(--ann\)$'
    with pytest.raises(UserError, match='pictures: 0 is not a number from 1 to 500'):
        report(config, pictures=0)
    with pytest.raises(UserError, match=r'student: .* is no file'):
        report(config, student=str(tmp_path / 'none.pth'))
    with pytest.raises(UserError, match=f'^img_prefix: .* {without}'):
        report(config, img_prefix=str(pool))
    with pytest.raises(UserError, match=f'^img_prefix: .* {without}'):
        evaluate_config(config, img_prefix=str(pool))
    config.val_dataloader = config.val_evaluator = config.val_cfg = None
    with pytest.raises(UserError, match=r'^oracle: .* has no effect without val_dataloader or a C'):
        report(config, oracle=truth)
    assert not (tmp_path / 'store').exists()


def test_a_student_of_other_classes_is_told_before_any_work(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    config.val_dataloader = config.val_evaluator = config.val_cfg = None
    student = tmp_path / 'student.pth'
    meta = {'dataset_meta': {'classes': toys.STUDENT[::-1]}}
    torch.save({'state_dict': {}, 'meta': meta}, student)
    with pytest.raises(UserError, match=r'^student\.checkpoint: .* was trained on other classes'):
        report(config, student=str(student))
    assert not (tmp_path / 'store').exists()


def test_a_second_pool_is_told_before_any_work(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    add_pool(config, tmp_path / 'second')
    with pytest.raises(UserError, match=r'^train_dataloader\.dataset: holds 2 pools'):
        report(config)
    assert not (tmp_path / 'store').exists()


def _trained(pool: Path, truth: str, folder: Path, epochs: int = 1) -> Config:
    config = student_config(pool, truth, folder, experiment_name=f'{folder.name}-report')
    config.card = {'pictures': 4, 'max_scored': 0}
    config.train_cfg.update(max_epochs=epochs, val_interval=1000)
    if epochs > 1:
        refresh = {'type': 'mmcompose.PseudoLabelRefreshHook', 'interval': 1}
        config.custom_hooks = [*(config.get('custom_hooks') or ()), refresh]
    RUNNERS.build(config).train()
    config.val_dataloader = config.val_evaluator = config.val_cfg = None
    return config


def _figures(page: Path) -> tuple[str, ...]:
    """Return what a card tells of its labels, and how the student agrees with them."""
    found = re.findall(
        r'\d+ images,\s+\d+ labels|<tr><td>student, against.*</tr>', page.read_text()
    )
    assert len(found) == 2
    return tuple(found)


def test_a_student_of_a_round_has_the_card_of_its_training(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.commands.report.warn', told.append)
    config = _trained(pool, truth, tmp_path, epochs=2)
    work = tmp_path / 'work'
    first = _figures(report(config, out=str(tmp_path / 'x'), student=str(work / 'epoch_1.pth')))
    trained = _figures(work / 'card.html')
    assert first[0].split() == ['8', 'images,', '21', 'labels'] and first[0] != trained[0]
    page = report(config, student=str(work / 'epoch_2.pth'))
    assert page == work / 'card.html' and _figures(page) == trained
    assert 'mmcompose train' in page.read_text() and not told
    without = copy.deepcopy(config)
    without.custom_hooks = []
    report(without, student=str(work / 'epoch_2.pth'), out=str(tmp_path / 'x'))
    assert 'of a later round, but this config has no PseudoLabelRefreshHook' in told.pop()
    shutil.rmtree(tmp_path / 'store')
    report(config, student=str(work / 'epoch_2.pth'), out=str(tmp_path / 'x'))
    assert 'of a later round, which the store does not hold' in told.pop()


def test_a_student_of_other_labels_is_told_and_keeps_its_card(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.commands.report.warn', told.append)
    config = _trained(pool, truth, tmp_path)
    work = tmp_path / 'work'
    student = work / 'epoch_1.pth'
    meta = torch.load(student, weights_only=False)['meta']
    (labels,) = meta['pseudo_labels']
    assert labels['made'] == labels['learned']
    before = (work / 'card.html').read_bytes()
    other = copy.deepcopy(config)
    other.composition.label_pipeline[2].keep = 0.8
    with pytest.raises(UserError, match=r'^out: .* holds a card already.*with --out'):
        report(other, student=str(student))
    assert (work / 'card.html').read_bytes() == before
    assert f'learned from labels {labels["made"]}, but this config makes ' in told.pop()
    page = report(other, student=str(student), out=str(tmp_path / 'card'))
    text = page.read_text()
    assert told.pop() and 'mmcompose train' not in text and 'mmcompose report' in text
    assert 'beside a student not known to be of its labels' in text
    report(config, student=str(student))
    assert 'mmcompose train' in (work / 'card.html').read_text() and not told
    # A checkpoint that others made.
    content = torch.load(student, weights_only=False)
    del content['meta']['pseudo_labels']
    torch.save(content, tmp_path / 'bare.pth')
    report(config, student=str(tmp_path / 'bare.pth'))
    assert 'names no pseudo-labels that it' in told.pop()
