"""Tests that every mistake in a config is told in one line, before anything is made or written."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmcompose.checks import preflight
from mmcompose.checks.check_top_level import top_level_problems
from mmcompose.engine.checked import resolve_checked
from mmcompose.utils import UserError
from tests.engine.toys import student_config
from tests.tools.mistakes import MISTAKES
from tests.tools.running import changed, files_in


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder, in which nothing is to be written."""
    return tmp_path_factory.mktemp('user')


@pytest.fixture(scope='module')
def right(folder: Path, pool: Path, truth: str) -> Config:
    """A config without a mistake."""
    config = student_config(pool, truth, folder)
    config.test_dataloader = config.test_evaluator = config.test_cfg = None
    config.composition.class_space = {}
    return config


def told(config: Config) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        resolve_checked(config)
    return caught.value.lines


def test_the_config_is_right(right: Config, folder: Path) -> None:
    resolve_checked(right)
    assert files_in(folder) == set()


def test_the_table_is_long_enough() -> None:
    assert len({(key, repr(value)) for key, value, _, _ in MISTAKES}) >= 140


@pytest.mark.parametrize(
    ('key', 'value', 'begins', 'near'),
    MISTAKES,
    ids=[f'{key}={str(value)[:40]}' for key, value, _, _ in MISTAKES],
)
def test_a_mistake_is_one_line(
    key: str, value: Any, begins: str, near: str | None, right: Config, folder: Path
) -> None:
    (line,) = told(changed(right, key, value))
    assert line.startswith(begins), line
    assert '\n' not in line
    if near is not None:
        expected = str(Path(near).expanduser()) if near == '~' else f'{near!r}?'
        assert f'did you mean {expected}' in line.replace("mean '/", 'mean /'), line
    assert files_in(folder) == set()


def test_five_mistakes_are_told_at_once(right: Config) -> None:
    config = changed(right, 'composition.workers', 0)
    config.composition.teachers.first.weight = -1
    config.train_dataloader.batch_size = 0
    config.optim_wrapper.optimizer.lr = -1
    config.custom_hooks = [{'type': 'EMAHook', 'momentun': 1}]
    keys = [line.partition(':')[0] for line in told(config)]
    assert sorted(keys) == [
        'composition.teachers.first.weight',
        'composition.workers',
        'custom_hooks[0]',
        'optim_wrapper.optimizer.lr',
        'train_dataloader.batch_size',
    ]


def _without_wrapper(config: Config) -> Config:
    config = copy.deepcopy(config)
    config.train_dataloader.dataset = {
        **config.train_dataloader.dataset.dataset,
        'pipeline': config.train_dataloader.dataset.pipeline,
    }
    return config


def test_a_wrapper_that_was_forgotten_is_told_and_may_be_allowed(right: Config) -> None:
    config = _without_wrapper(right)
    (line,) = told(config)
    assert line.startswith("train_dataloader.dataset.type: 'mmcompose.UnlabeledImages' has no")
    assert line.endswith("; allow=['no-labels'] makes this a warning")
    config.allow = ['no-labels']
    assert 'allow' not in resolve_checked(config).config


def test_a_comma_after_the_composition_is_told(right: Config) -> None:
    config = changed(right, 'composition', ({'teachers': {}},))
    (line,) = told(config)
    assert line.startswith('composition: ({')
    assert line.endswith('is not a dict; remove the comma after its last bracket')


ITERATIONS = {'type': 'IterBasedTrainLoop', 'max_iters': 24}


@pytest.mark.parametrize(
    ('loop', 'schedule', 'is_told'),
    [
        (24, [{'type': 'MultiStepLR', 'milestones': [8, 11]}], True),
        (12, [{'type': 'MultiStepLR', 'milestones': [8, 11]}], False),
        (24, [{'type': 'CosineAnnealingLR', 'T_max': 12, 'end': 12}], True),
        (24, [{'type': 'CosineAnnealingLR', 'T_max': 12, 'begin': 12, 'end': 24}], False),
        (24, [{'type': 'LinearLR', 'start_factor': 0.1, 'end': 2}], False),
        (24, [{'type': 'LinearLR', 'start_factor': 0.1, 'by_epoch': False, 'end': 500},
              {'type': 'MultiStepLR', 'milestones': [8, 11]}], True),
        (24, [{'type': 'StepLR', 'step_size': 2}], False),
        (ITERATIONS, [{'type': 'PolyLR', 'by_epoch': False, 'end': 12}], True),
        (ITERATIONS, [{'type': 'PolyLR', 'by_epoch': True, 'end': 12}], False),
    ],
)  # fmt: skip
def test_a_schedule_that_ends_early_is_warned_of(
    loop: Any, schedule: list[Any], is_told: bool, right: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(preflight, 'warn', warned.append)
    config = changed(right, 'param_scheduler', schedule)
    if isinstance(loop, int):
        config.train_cfg.max_epochs = loop
    else:
        config.train_cfg = loop
    resolve_checked(config)
    assert any('the learning rate changes last at' in line for line in warned) == is_told


# Of a config's own file and of the base that it inherits.
BASE = 'optim_wrapper = dict(type="OptimWrapper")\ntrain_pipeline = []\n'


@pytest.mark.parametrize(
    ('text', 'typo', 'near'),
    [
        ('optim_wraper = dict()', 'optim_wraper', 'optim_wrapper'),
        ('train_pipline = []', 'train_pipline', 'train_pipeline'),
        ('max_epochs = 3\ntrain_cfg = dict(max_epochs=max_epochs)', None, None),
        ('train_pipelines = []\nval_pipeline = train_pipelines', None, None),
        ('test_pipeline = []', None, None),
        ('data_root = "data"', None, None),
    ],
)
def test_a_typo_that_a_base_hides(
    text: str, typo: str | None, near: str | None, tmp_path: Path
) -> None:
    (tmp_path / 'base.py').write_text(BASE)
    (tmp_path / 'own.py').write_text(f"_base_ = ['./base.py']\n{text}\n")
    config = Config.fromfile(tmp_path / 'own.py')
    found = [(each.value, each.suggestion) for each in top_level_problems(config)]
    assert found == ([] if typo is None else [(typo, near)])
