"""Tests of what a config would do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mmcompose.cli import run_verb
from mmcompose.commands.label import label
from mmcompose.commands.load import load
from mmcompose.commands.plan import plan
from mmcompose.commands.plan_text import print_plan
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import student_config


def test_a_plan_of_a_whole_config(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    made = plan(config, timed_images=2)
    assert made.mistakes == []
    assert made.teachers == {'first': ('FunctionTeacher', 2), 'second': ('FunctionTeacher', 2)}
    assert made.class_space is not None
    assert [name for name, _ in made.class_space.rows] == list(toys.STUDENT)
    assert made.pipeline[1].startswith('WeightedBoxesFusion(iou_thr=0.55): ')
    assert made.pipeline[0].endswith(': Keep boxes whose score is at least min_score')
    assert made.pool is not None
    assert made.pool.describe() == ['8 images, 96x64 pixels']
    assert made.stored == [] and made.missing == ['first', 'second']
    assert made.boxes == {'first': 2.0, 'second': 2.0}
    assert made.total_bytes and made.total_seconds
    # A function has no architecture; a process that has imported torch holds this much.
    assert made.architectures == {'first': None, 'second': None}
    assert 1e8 < made.peak_memory['memory'] < 1e12
    assert not (tmp_path / 'store').exists()


def test_what_is_stored_is_not_made_again(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    load(config).labels()
    made = plan(config)
    assert made.stored == ['first', 'second'] and made.missing == []


def test_a_pool_without_pictures_is_no_missing_one(
    truth: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'empty').mkdir()
    made = plan(student_config(tmp_path / 'empty', truth, tmp_path))
    assert made.pool is None and len(made.mistakes) >= 1
    print_plan(made)
    assert 'cannot be listed' in capsys.readouterr().out


def test_a_class_known_by_name_only_is_told(
    pool: Path, truth: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = student_config(pool, truth, tmp_path)
    second = config.composition.teachers.second
    second.classes = ['blue', 'red', 'green']
    assert plan(config).owners_by_name == []
    load(config).labels()
    made = plan(config)
    (line,) = made.owners_by_name
    assert line.startswith("second is an owner by name only of 'green': it predicts none")
    print_plan(made)
    assert 'owner by name only' in capsys.readouterr().out


def test_all_mistakes_are_found_and_the_rest_is_shown(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    config.composition.teachers.first.function = 'tests.toys.sea'
    config.train_dataloader.dataset.dataset.data_prefix.img = str(tmp_path / 'nowhere')
    made = plan(config)
    told = [str(each) for each in made.mistakes]
    assert any('composition.teachers.first' in line and 'tests.toys.sea' in line for line in told)
    # Two looks find it, and it is told once.
    assert sum('nowhere' in line for line in told) == 1
    assert len(made.pipeline) == 3 and made.pool is None


def test_teachers_are_timed_on_a_pool_of_any_size(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('mmcompose.commands.plan._MOST_LOOKED_UP', 4)
    made = plan(student_config(pool, truth, tmp_path), timed_images=2)
    assert made.mistakes == [] and made.stored is None
    assert made.boxes == {'first': 2.0, 'second': 2.0}
    assert made.total_seconds


@pytest.mark.parametrize(
    ('inner', 'told'),
    [(['pool'], r"\['pool'\] is no dict of a dataset"), ({'img': 'pool'}, 'names no type')],
)
def test_a_pool_that_is_no_dataset_is_told(
    inner: Any, told: str, pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    config.train_dataloader.dataset.dataset = inner
    made = plan(config)
    (mistake,) = made.mistakes
    assert re.match(rf'train_dataloader\.dataset\.dataset: .*{told}', str(mistake))
    assert made.pool is None


def test_a_step_that_lacks_labeled_images_is_told_before_any_work(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    step = {'type': 'mmcompose.ScoreCalibration', 'method': 'isotonic'}
    config.composition.label_pipeline.insert(1, step)
    (mistake,) = plan(config).mistakes
    expected = r'^composition\.label_pipeline\[1\]\.learned_file: is missing, and this step learns'
    assert re.match(expected, str(mistake))
    for work in (label, lambda config: load(config).labels()):
        with pytest.raises(UserError, match=expected):
            work(config)
    assert not (tmp_path / 'store').exists()


def test_files_that_are_no_pictures_are_counted(truth: str, tmp_path: Path) -> None:
    toys.draw(tmp_path / 'pool', 3)
    for name in ('notes.txt', 'more.txt', 'README'):
        (tmp_path / 'pool' / name).touch()
    made = plan(student_config(tmp_path / 'pool', truth, tmp_path))
    assert made.pool is not None
    assert made.pool.describe()[1].endswith('by their names: 2 .txt, 1 without suffix')


@pytest.mark.parametrize('verb', ['plan', 'label', 'train'])
def test_the_commands_print_it(
    verb: str, pool: Path, truth: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = student_config(pool, truth, tmp_path)
    path = tmp_path / 'config.py'
    config.dump(path)
    more = [] if verb == 'plan' else ['--dry-run']
    run_verb(verb, [str(path), *more])
    told = capsys.readouterr().out
    assert 'to predict: first, second' in told and 'ScoreBands(' in told
    config.composition.label_pipeline[0].min_score = 2
    config.dump(path)
    with pytest.raises(SystemExit) as ended:
        run_verb(verb, [str(path), *more])
    assert ended.value.code == 2
    assert 'label_pipeline[0].min_score: 2' in capsys.readouterr().err
    assert not (tmp_path / 'store').exists() and not (tmp_path / 'work').exists()


def test_help_of_training_names_the_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        run_verb('train', ['--help'])
    assert raised.value.code == 0
    text = capsys.readouterr().out
    assert '--dry-run' in text and '--resume' in text


def test_what_a_dry_run_does_not_know_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_verb('train', ['config.py', '--dry-run', '--resme', '--amb'])
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert "'--resme' is no option" in told and "'--amb' is no option" in told
