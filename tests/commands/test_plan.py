"""Tests of what a config would do."""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest

from mmcompose.cli import run_verb
from mmcompose.commands.label import label
from mmcompose.commands.load import load
from mmcompose.commands.plan import plan
from mmcompose.commands.plan_text import print_plan
from mmcompose.composition.features import FEATURES
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
    assert made.stored == [] and made.missing == {'first': 8, 'second': 8}
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
    assert made.stored == ['first', 'second'] and made.missing == {}


def test_of_a_pool_that_grew_the_new_pictures_count(
    pool: Path, truth: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(pool, tmp_path / 'pool')
    config = student_config(tmp_path / 'pool', truth, tmp_path)
    load(config).labels()
    toys.draw(tmp_path / 'pool' / 'more', 2)
    made = plan(config, timed_images=2)
    assert made.missing == {'first': 2, 'second': 2}
    assert made.total_seconds == pytest.approx(2 * sum(made.seconds.values()))
    print_plan(made)
    assert 'to predict: first (2 of 10), second (2 of 10)' in capsys.readouterr().out


def test_all_pools_count(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    first = config.train_dataloader.dataset
    other = copy.deepcopy(first)
    toys.draw(tmp_path / 'other', 5)
    other.dataset.data_prefix.img = str(tmp_path / 'other')
    config.train_dataloader.dataset = {'type': 'ConcatDataset', 'datasets': [first, other]}
    made = plan(config)
    assert made.pool is not None and made.pool.num_images == 13
    assert made.missing == {'first': 13, 'second': 13}


def test_features_of_pictures_count(
    pool: Path, truth: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = student_config(pool, truth, tmp_path)
    config.composition.label_pipeline.insert(1, {'type': 'mmcompose.AppearanceCheck'})
    made = plan(config, timed_images=2)
    assert made.missing == {'first': 8, 'second': 8, FEATURES: 8}
    # Of numbers of 16 bits, hundreds a place.
    assert made.num_bytes[FEATURES] > 2 * 400 and made.seconds[FEATURES] > 0
    load(config).labels()
    assert plan(config).missing == {}
    shutil.rmtree(tmp_path / 'store' / 'features')
    made = plan(config)
    assert made.missing == {FEATURES: 8}
    print_plan(made)
    assert f'to predict: {FEATURES}; stored: first, second' in capsys.readouterr().out


@pytest.mark.parametrize('digest', [None, True, False])
def test_contents_that_are_not_compared_are_told(
    digest: bool | None, truth: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toys.draw(tmp_path / 'pool', 2)
    for path in list((tmp_path / 'pool').iterdir()):
        cv2.imwrite(str(path.with_suffix('.bmp')), cv2.imread(str(path)))
        path.unlink()
    config = student_config(tmp_path / 'pool', truth, tmp_path)
    config.train_dataloader.dataset.dataset.digest = digest
    load(config).labels()
    print_plan(plan(config))
    told = capsys.readouterr().out
    assert 'all predictions are stored' in told
    assert ('contents were not compared' in told) == (digest is not False)


def test_teachers_are_timed_on_pictures_that_can_be_read(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    shutil.copytree(pool, tmp_path / 'pool')
    whole = (tmp_path / 'pool' / '000.png').read_bytes()
    # Its header can be read.
    (tmp_path / 'pool' / '000.png').write_bytes(whole[:60])
    config = student_config(tmp_path / 'pool', truth, tmp_path)
    made = plan(config, timed_images=2)
    assert made.mistakes == [] and made.boxes == {'first': 2.0, 'second': 2.0}
    for path in (tmp_path / 'pool').iterdir():
        path.write_bytes(whole[:60])
    (mistake,) = plan(config, timed_images=2).mistakes
    assert 'no picture of the pool can be decoded' in str(mistake)


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


def test_a_json_of_a_pool_that_is_missing_is_told_once(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    missing = {'type': 'CocoDataset', 'ann_file': 'nowhere.json'}
    config.train_dataloader.dataset.dataset = {'type': 'ConcatDataset', 'datasets': [missing]}
    made = plan(config)
    (mistake,) = made.mistakes
    assert str(mistake).startswith(
        "train_dataloader.dataset.dataset.datasets[0].ann_file: 'nowhere.json' is no file"
    )
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
