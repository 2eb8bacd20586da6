"""Tests of the tools as a user runs them, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mmdet
import pytest
from mmengine.config import Config
from mmengine.fileio import load

from tests import toys
from tests.engine.toys import student_config

ROOT = Path(__file__).parents[2]
MMDET_TOOLS = Path(mmdet.__file__).parent / '.mim' / 'tools'


def _run(script: Path | str, *arguments: Any, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, 'PYTHONPATH': f'{cwd}:{ROOT}', 'OMP_NUM_THREADS': '1'}
    command = [sys.executable, '-W', 'ignore', str(ROOT / script), *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


def _teacher_module(folder: Path) -> None:
    """Put the toy detector into a module that can be deleted."""
    (folder / 'toy_teacher.py').write_text((ROOT / 'tests' / 'toys.py').read_text())


def _config(folder: Path, pool: Path, truth: str, **changes: Any) -> Path:
    config = student_config(pool, truth, folder, **changes)
    for teacher in config.composition.teachers.values():
        teacher.function = 'toy_teacher.see'
    # As in MMDetection's default_runtime.py; browse_dataset and test.py --show-dir ask for them.
    config.visualizer = {
        'type': 'DetLocalVisualizer',
        'vis_backends': [{'type': 'LocalVisBackend'}],
        'name': 'visualizer',
    }
    config.default_hooks.visualization = {'type': 'DetVisualizationHook'}
    path = folder / 'compose.py'
    # Not by dump: that lists keys by the alphabet, and order of teachers is order of classes.
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in config.to_dict().items()))
    return path


class Way:
    """What the whole way left behind."""

    def __init__(self, folder: Path, pool: Path, truth: str) -> None:
        self.folder = folder
        _teacher_module(folder)
        config = _config(folder, pool, truth)
        self.trained = _run('tools/train.py', '--work-dir', 'work', config, cwd=folder)
        (folder / 'toy_teacher.py').unlink()
        self.work = folder / 'work'
        self.dump = self.work / 'compose.py'
        self.checkpoint = self.work / 'epoch_1.pth'


@pytest.fixture(scope='module')
def way(pool: Path, truth: str, tmp_path_factory: pytest.TempPathFactory) -> Way:
    """Labels made, one epoch trained and validated; then the teachers' files deleted."""
    return Way(tmp_path_factory.mktemp('way'), pool, truth)


def test_train_makes_labels_trains_and_validates(way: Way) -> None:
    assert way.trained.returncode == 0, way.trained.stderr[-3000:]
    assert (way.folder / 'store' / 'labels').is_dir()
    assert way.checkpoint.is_file()
    scalars = next(way.work.rglob('scalars.json')).read_text()
    assert 'coco/bbox_mAP' in scalars


def test_the_dumped_config_is_plain_and_keeps_the_class_order(way: Way) -> None:
    dumped = Config.fromfile(way.dump)
    assert not {'composition', 'runner_type'} & set(dumped.keys())
    dataset = dumped.train_dataloader.dataset
    assert tuple(dataset.metainfo.classes) == toys.STUDENT
    assert tuple(dataset.composition.class_space.classes) == toys.STUDENT
    assert [each['name'] for each in dataset.composition.known] == ['first', 'second']


def test_the_student_is_tested_with_the_teachers_gone(way: Way) -> None:
    done = _run('tools/test.py', way.dump, way.checkpoint, '--work-dir', 'tested', cwd=way.folder)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_student_is_tested_with_mmdets_arguments(way: Way) -> None:
    arguments = ('--tta', '--out', 'found.pkl', '--show-dir', 'shown', '--work-dir', 'augmented')
    options = ('--cfg-options', 'test_dataloader.batch_size=1')
    done = _run('tools/test.py', way.dump, way.checkpoint, *arguments, *options, cwd=way.folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(load(way.folder / 'found.pkl')) == 8
    assert len(list((way.folder / 'augmented').rglob('shown/*.png'))) == 8
    scores = next((way.folder / 'augmented').rglob('*.json')).read_text()
    assert 'coco/bbox_mAP' in scores


def test_a_checkpoint_that_is_not_there_is_one_line(way: Way) -> None:
    missing = way.checkpoint.with_name('epoch_7.pth')
    done = _fails('tools/test.py', way.folder, way.dump, missing)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: checkpoint: '{missing}' is no file; did you mean ")
    assert len(done.stderr.splitlines()) == 1


def test_mmdets_browse_dataset_shows_the_labels_with_the_teachers_gone(way: Way) -> None:
    script = MMDET_TOOLS / 'analysis_tools' / 'browse_dataset.py'
    arguments = (way.dump, '--not-show', '--output-dir', 'browsed')
    done = _run(script, *arguments, cwd=way.folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list((way.folder / 'browsed').rglob('*.png'))) == 8


def test_a_run_resumes_where_it_was_with_the_teachers_gone(way: Way) -> None:
    options = ('--resume', '--cfg-options', 'train_cfg.max_epochs=2')
    done = _run('tools/train.py', way.dump, '--work-dir', way.work, *options, cwd=way.folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (way.work / 'epoch_2.pth').is_file()
    newest = max(way.work.rglob('scalars.json'), key=lambda path: path.stat().st_mtime)
    lines = [json.loads(line) for line in newest.read_text().splitlines()]
    assert {line['epoch'] for line in lines if 'loss' in line} == {2}


def _fails(tool: Path | str, folder: Path, *arguments: Any) -> subprocess.CompletedProcess[str]:
    before = set(folder.iterdir())
    done = _run(tool, *arguments, cwd=folder)
    assert done.returncode != 0
    assert set(folder.iterdir()) - {folder / '__pycache__'} == before, 'something was written'
    return done


@pytest.mark.parametrize('tool', ['train', 'label'])
def test_a_users_mistake_is_one_line_and_exit_code_2(
    tool: str, pool: Path, truth: str, tmp_path: Path
) -> None:
    _teacher_module(tmp_path)
    mapping = {'composition.class_space.mapping.first': {'gren': 'red'}}
    config = _config(tmp_path, pool, truth, **mapping)
    done = _fails(f'tools/{tool}.py', tmp_path, config)
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: composition.class_space.mapping.first: 'gren' is not a class of teacher first; "
        "did you mean 'green'?"
    )


def test_a_config_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / 'compose.py').touch()
    done = _fails('tools/train.py', tmp_path, '--work-dir', 'work', 'compos.py')
    assert done.returncode == 2
    assert done.stderr == "error: config: 'compos.py' is no file; did you mean 'compose.py'?\n"


def test_an_empty_image_folder_is_told_before_anything_is_written(
    truth: str, tmp_path: Path
) -> None:
    _teacher_module(tmp_path)
    (tmp_path / 'nothing').mkdir()
    done = _fails('tools/train.py', tmp_path, _config(tmp_path, tmp_path / 'nothing', truth))
    assert done.returncode == 2
    assert 'UnlabeledImages.data_prefix.img' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_under_mmdets_own_train_the_mistake_is_the_last_line(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    _teacher_module(tmp_path)
    config = _config(tmp_path, pool, truth, **{'composition.store_': 'x'})
    done = _fails(MMDET_TOOLS / 'train.py', tmp_path, config)
    last = done.stderr.strip().splitlines()[-1]
    assert "composition: 'store_' is not a key here" in last
