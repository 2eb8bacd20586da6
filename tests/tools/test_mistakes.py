"""Tests that a mistake is told in its lines, with exit code 2, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from tests import toys
from tests.tools.mistakes import MISTAKES, Mistake
from tests.tools.running import (
    MMDET_TOOLS,
    Done,
    changed,
    fails,
    run,
    run_forked,
    run_here,
    write_config,
    write_plain,
    write_teacher,
)

TRAIN, LABEL, EXPORT, TEST, EVALUATE, CONVERT, PLAN = (
    f'tools/{name}.py'
    for name in ('train', 'label', 'export', 'test', 'evaluate', 'convert_effdet', 'plan')
)
CONFIG = 'compose.py'
WORK = ('--work-dir', 'runs/work')
# What a command that does not train leaves alone.
STUDENT = ('model', 'optim', 'train_cfg', 'param', 'custom_hooks', 'default_hooks', 'val', 'test')


@pytest.fixture
def folder(tmp_path: Path, pool: Path, truth: str) -> Path:
    """A user's folder: a config, its teachers, and no checkpoint."""
    write_teacher(tmp_path)
    write_config(tmp_path, pool, truth)
    return tmp_path


def _told(done: Done) -> str:
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    return line.removeprefix('error: ')


def test_it_is_one_line_in_a_process_of_its_own(pool: Path, truth: str, tmp_path: Path) -> None:
    write_teacher(tmp_path)
    mapping = {'composition.class_space.mapping.first': {'gren': 'red'}}
    config = write_config(tmp_path, pool, truth, **mapping)
    assert _told(fails(TRAIN, config, cwd=tmp_path, how=run)) == (
        "composition.class_space.mapping.first: 'gren' is not a class of teacher first; "
        "did you mean 'green'?"
    )


# In processes forked off; the table's others are in this one, the two around it start from nothing.
# A config file cannot hold all values that a config can, and WORK sets one.
WRITTEN = [each for each in MISTAKES if each[1] != float('inf') and each[0] != 'work_dir']
TYPED = WRITTEN[:: len(WRITTEN) // 8][:8]


@pytest.mark.parametrize(
    ('number', 'mistake'),
    list(enumerate(TYPED)),
    ids=[f'{key}={value}'[:40] for key, value, *_ in TYPED],
)
def test_it_is_one_line_of_a_command(
    number: int, mistake: Mistake, pool: Path, truth: str, tmp_path: Path
) -> None:
    key, value, begins, _ = mistake
    write_teacher(tmp_path)
    path = write_config(tmp_path, pool, truth, test_dataloader=None, test_evaluator=None,
                        test_cfg=None, **{'composition.class_space': {}})  # fmt: skip
    write_plain(path, changed(Config.fromfile(path), key, value))
    tool = (LABEL, path) if number % 2 and not key.startswith(STUDENT) else (TRAIN, *WORK, path)
    line = _told(fails(*tool, cwd=tmp_path, how=run_forked))
    assert line.startswith(begins), line


def test_under_mmdets_own_train_it_is_the_last_line(pool: Path, truth: str, tmp_path: Path) -> None:
    write_teacher(tmp_path)
    config = write_config(tmp_path, pool, truth, **{'composition.store_': 'x'})
    done = fails(MMDET_TOOLS / 'train.py', config, cwd=tmp_path, how=run)
    last = done.stderr.strip().splitlines()[-1]
    assert "composition: 'store_' is not a key here" in last


# A command line, and how what is told begins.
ON_A_COMMAND_LINE: dict[str, tuple[tuple[str, ...], str]] = {
    'config': (
        (TRAIN, *WORK, 'compos.py'),
        "config: 'compos.py' is no file; did you mean 'compose.py'?",
    ),
    'no config': ((TRAIN, *WORK), 'mmcompose train: the following arguments are required: config;'),
    'config by its ending': (
        (TRAIN, *WORK, 'compose.pyy'),
        "config: 'compose.pyy' is no file; did you mean 'compose.py'?",
    ),
    'checkpoint by its ending': ((TEST, CONFIG, 'epoch_1'), "checkpoint: 'epoch_1' is no file"),
    'option that leads nowhere': (
        (TRAIN, *WORK, CONFIG, '--cfg-options', 'train_dataloader.dataset.pipeline.9.type=X'),
        '--cfg-options: train_dataloader.dataset.pipeline.9.type',
    ),
    'option that is a mistake': (
        (TRAIN, *WORK, CONFIG, '--cfg-options', 'composition.teachers.first.weight=-1'),
        'composition.teachers.first.weight: -1',
    ),
    'work dir below a file': (
        (TRAIN, CONFIG, '--work-dir', 'toy_teacher.py/work'), "work_dir: 'toy_teacher.py/work'"
    ),
    'checkpoint to resume': (
        (TRAIN, *WORK, CONFIG, '--resume', 'epoch_1.pth'), "--resume: 'epoch_1.pth' is no file"
    ),
    'learning rate of no batch size': (
        (TRAIN, *WORK, CONFIG, '--auto-scale-lr'), '--auto-scale-lr: needs auto_scale_lr=dict('
    ),
    'learning rate of a plan': (
        (TRAIN, CONFIG, '--dry-run', '--auto-scale-lr'), '--auto-scale-lr: needs auto_scale_lr='
    ),
    'launcher': ((LABEL, CONFIG, '--launcher', 'pytorch'), "--launcher: 'pytorch' did not start"),
    'launcher of a training': (
        (TRAIN, *WORK, CONFIG, '--launcher', 'slurm'), "--launcher: 'slurm' did not start"
    ),
    'address of no cluster': ((LABEL, CONFIG, '--address', 'a'), "--address: 'a' is of a Ray"),
    'time of less than nothing': ((PLAN, CONFIG, '--time', '-3'), '--time: -3 is not 0 or more'),
    'key of no loader': (
        (LABEL, CONFIG, '--cfg-options', 'train_dataloder.batch_size=4'),
        "--cfg-options: 'train_dataloder' is no key that anything reads; "
        "did you mean 'train_dataloader'?",
    ),
    'key outside composition': (
        (TRAIN, *WORK, CONFIG, '--cfg-options', 'workers=4'), 'workers: 4 stands outside'
    ),
    'no worker of a plan': (
        (LABEL, CONFIG, '--dry-run', '--workers', '0'), 'composition.workers: 0'
    ),
    'export of a plan': ((LABEL, CONFIG, '--dry-run', '--export', '.'), "--export: '.' is a"),
    'work dir of a plan': (
        (TRAIN, CONFIG, '--dry-run', '--work-dir', 'toy_teacher.py'), "work_dir: 'toy_teacher.py'"
    ),
    'checkpoint to resume of a plan': (
        (TRAIN, CONFIG, '--dry-run', '--resume', 'epoch.pth'), "--resume: 'epoch.pth' is no file"
    ),
    'no worker': ((LABEL, CONFIG, '--workers', '0'), 'composition.workers: 0'),
    'label into a folder': ((LABEL, CONFIG, '--export', '.'), "--export: '.' is a folder"),
    'export to a folder': ((EXPORT, 'labels', CONFIG, '--out', '.'), "--out: '.' is a folder"),
    'nothing to label': (
        (LABEL, CONFIG, '--cfg-options', 'train_dataloader=None'), 'train_dataloader: is missing'
    ),
    'student': (
        (EVALUATE, CONFIG, '--student', 'epoch_1.pth'),
        "student.checkpoint: 'epoch_1.pth' is no file",
    ),
    'student that is none': (
        (EVALUATE, CONFIG, '--student', CONFIG), "student.checkpoint: 'compose.py' is no checkpoint"
    ),
    'score floor': ((EVALUATE, CONFIG, '--score-floor', '2'), '--score-floor: 2.0'),
    'table into a folder': ((EVALUATE, CONFIG, '--out', '.'), "--out: '.' is a folder"),
    'converted checkpoint': (
        (CONVERT, 'effdet.pth', '.', '--config', CONFIG), "out: '.' is a folder"
    ),
    'checkpoint': ((TEST, CONFIG, 'epoch_1.pth'), "checkpoint: 'epoch_1.pth' is no file"),
    'nothing to test on': (
        (TEST, CONFIG, 'epoch_1.pth', '--cfg-options', 'test_cfg=None'), 'test_cfg: is missing from'
    ),
    'option with a space': (
        (TRAIN, *WORK, CONFIG, '--cfg-options', 'composition.teachers.first.type=No such Teacher'),
        "composition.teachers.first.type: 'No such Teacher' is not",
    ),
    'nothing to train': (
        (TRAIN, *WORK, CONFIG, '--cfg-options', 'train_cfg=None'), 'train_cfg: is missing from'
    ),
}  # fmt: skip


@pytest.mark.parametrize(('command', 'begins'), ON_A_COMMAND_LINE.values(), ids=ON_A_COMMAND_LINE)
def test_on_a_command_line(
    command: tuple[str, ...], begins: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ('RANK', 'SLURM_PROCID'):
        monkeypatch.delenv(variable, raising=False)
    line = _told(fails(*command, cwd=folder))
    assert line.startswith(begins), line


def test_what_is_no_setting_is_told(folder: Path) -> None:
    for tool in (TRAIN, LABEL):
        line = _told(fails(tool, CONFIG, '--cfg-options', 'nothing', cwd=folder))
        assert "argument --cfg-options: 'nothing' is not of the form key=value" in line


def test_options_of_a_training_are_told_with_the_nearest(folder: Path) -> None:
    done = fails(TRAIN, CONFIG, '--wrok-dir', 'x', '--resme', cwd=folder)
    expected = 'is no option; see mmcompose train --help; did you mean'
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            f"error: mmcompose train: '--wrok-dir' {expected} '--work-dir'?",
            f"error: mmcompose train: '--resme' {expected} '--resume'?",
        ],
    )


@pytest.mark.parametrize('text', ['a = (', 'a = b', "_base_ = ['./none.py']", ''])
def test_a_config_that_is_none(text: str, folder: Path) -> None:
    (folder / CONFIG).write_text(text)
    line = _told(fails(TRAIN, *WORK, CONFIG, cwd=folder))
    assert line.startswith("config: 'compose.py' cannot be read" if text else 'model: is missing')


@pytest.fixture
def pictures(tmp_path: Path, truth: str) -> Path:
    """A pool of the user's own."""
    toys.draw(tmp_path / 'pictures', 4)
    write_teacher(tmp_path)
    parts = ('dataloader', 'evaluator', 'cfg')
    without = {f'{name}_{part}': None for name in ('val', 'test') for part in parts}
    write_config(tmp_path, tmp_path / 'pictures', truth, **without)
    return tmp_path / 'pictures'


def test_an_empty_pool(pictures: Path) -> None:
    for path in pictures.iterdir():
        path.unlink()
    line = _told(fails(TRAIN, *WORK, CONFIG, cwd=pictures.parent))
    assert line.startswith('train_dataloader.dataset.dataset.data_prefix.img: ')


@pytest.mark.parametrize('tool', [(TRAIN, *WORK), (LABEL,)], ids=['train', 'label'])
def test_a_file_that_is_no_picture(tool: tuple[str, ...], pictures: Path) -> None:
    (pictures / '002.png').write_bytes(b'no picture')
    line = _told(run_here(*tool, CONFIG, cwd=pictures.parent))
    assert '002.png' in line, line
    # What is known of the pool stays in the store; no run has begun.
    assert not (pictures.parent / 'runs').exists()


def _cut(picture: Path) -> None:
    """Keep the header, which tells width and height, and half of the pixels."""
    picture.write_bytes(picture.read_bytes()[: picture.stat().st_size // 2])


def test_half_a_picture_leaves_no_work_dir_behind(pictures: Path) -> None:
    _cut(pictures / '002.png')
    line = _told(run_here(TRAIN, *WORK, CONFIG, cwd=pictures.parent))
    assert '002.png' in line, line
    assert not (pictures.parent / 'runs').exists()


def test_half_a_picture_takes_nothing_from_a_work_dir_that_was_there(pictures: Path) -> None:
    _cut(pictures / '002.png')
    work = pictures.parent / 'runs' / 'work'
    work.mkdir(parents=True)
    for name in ('epoch_1.pth', CONFIG):
        (work / name).write_text('of another run')
    _told(run_here(TRAIN, *WORK, CONFIG, cwd=pictures.parent))
    for name in ('epoch_1.pth', CONFIG):
        assert (work / name).read_text() == 'of another run'
