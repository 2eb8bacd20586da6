"""Tests of the tools as a user runs them: the whole way, and what it leaves behind."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest
from mmdet.apis import DetInferencer, inference_detector, init_detector
from mmengine.config import Config

from tests import toys
from tests.tools.running import MMDET_TOOLS, fails, run, run_here, write_config, write_teacher


class Way:
    """What the whole way left behind."""

    def __init__(self, folder: Path, pool: Path, truth: str) -> None:
        self.folder = folder
        write_teacher(folder)
        config = write_config(folder, pool, truth)
        self.trained = run('tools/train.py', '--work-dir', 'work', config, cwd=folder)
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
    assert [each['name'] for each in dataset.composition.teacher_records] == ['first', 'second']


def test_the_student_is_tested_with_the_teachers_gone(way: Way) -> None:
    done = run_here(
        'tools/test.py', way.dump, way.checkpoint, '--work-dir', 'tested', cwd=way.folder
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_student_is_tested_with_mmdets_arguments(way: Way) -> None:
    arguments = ('--tta', '--out', 'found.pkl', '--show-dir', 'shown', '--work-dir', 'augmented')
    options = ('--cfg-options', 'test_dataloader.batch_size=1')
    done = run_here('tools/test.py', way.dump, way.checkpoint, *arguments, *options, cwd=way.folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(pickle.loads((way.folder / 'found.pkl').read_bytes())) == 8
    assert len(list((way.folder / 'augmented').rglob('shown/*.png'))) == 8
    scores = next((way.folder / 'augmented').rglob('*.json')).read_text()
    assert 'coco/bbox_mAP' in scores


def test_results_are_scored_by_mmdets_own_tool(way: Way) -> None:
    results = ('--out', 'plain.pkl', '--work-dir', 'written')
    done = run_here('tools/test.py', way.dump, way.checkpoint, *results, cwd=way.folder)
    assert done.returncode == 0, done.stderr[-3000:]
    script = MMDET_TOOLS / 'analysis_tools' / 'eval_metric.py'
    done = run_here(script, way.dump, 'plain.pkl', cwd=way.folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'coco/bbox_mAP' in done.stdout


def test_mmdets_inferencer_takes_the_student_with_the_truth_gone(way: Way, pool: Path) -> None:
    config = Config.fromfile(way.dump)
    config.test_dataloader.dataset.dataset.ann_file = 'gone.json'
    config.dump(way.folder / 'deployed.py')
    picture = str(pool / '000.png')
    options = {'weights': str(way.checkpoint), 'device': 'cpu', 'show_progress': False}
    inferencer = DetInferencer(str(way.folder / 'deployed.py'), **options)
    (found,) = inferencer(picture, no_save_vis=True)['predictions']
    model = init_detector(str(way.folder / 'deployed.py'), str(way.checkpoint), device='cpu')
    expected = inference_detector(model, picture).pred_instances
    assert found['labels'] == expected.labels.tolist() != []
    assert tuple(model.dataset_meta['classes']) == toys.STUDENT


def test_mmdets_inferencer_takes_a_student_without_a_test_set(way: Way, pool: Path) -> None:
    """As docs/configuration.md has it."""
    config = Config.fromfile(way.dump)
    config.test_pipeline = config.test_dataloader.dataset.pipeline
    config.test_dataloader = {'dataset': {'pipeline': config.test_pipeline}}
    options = {'device': 'cpu', 'palette': 'random', 'show_progress': False}
    inferencer = DetInferencer(config, str(way.checkpoint), **options)
    (found,) = inferencer(str(pool / '000.png'), no_save_vis=True)['predictions']
    assert found['labels']


def test_a_checkpoint_that_is_not_there_is_one_line(way: Way) -> None:
    missing = way.checkpoint.with_name('epoch_7.pth')
    done = fails('tools/test.py', way.dump, missing, cwd=way.folder)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: checkpoint: '{missing}' is no file; did you mean ")
    assert len(done.stderr.splitlines()) == 1


def test_mmdets_browse_dataset_shows_the_labels_with_the_teachers_gone(way: Way) -> None:
    script = MMDET_TOOLS / 'analysis_tools' / 'browse_dataset.py'
    arguments = (way.dump, '--not-show', '--output-dir', 'browsed')
    done = run_here(script, *arguments, cwd=way.folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list((way.folder / 'browsed').rglob('*.png'))) == 8


def test_a_run_resumes_where_it_was_with_the_teachers_gone(way: Way) -> None:
    options = ('--resume', '--cfg-options', 'train_cfg.max_epochs=2')
    done = run_here('tools/train.py', way.dump, '--work-dir', way.work, *options, cwd=way.folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (way.work / 'epoch_2.pth').is_file()
    newest = max(way.work.rglob('scalars.json'), key=lambda path: path.stat().st_mtime)
    lines = [json.loads(line) for line in newest.read_text().splitlines()]
    assert {line['epoch'] for line in lines if 'loss' in line} == {2}


def test_a_run_without_a_checkpoint_to_resume_begins_as_it_did_at_first(way: Way) -> None:
    """MMDetection's script forgets ``load_from`` for ``--resume``."""
    options = ('--resume', '--cfg-options', f'load_from={way.checkpoint}', 'log_level=INFO')
    done = run_here('tools/train.py', way.dump, '--work-dir', 'killed', *options, cwd=way.folder)
    assert done.returncode == 0, done.stderr[-3000:]
    told = next((way.folder / 'killed').rglob('*.log')).read_text()
    assert f'Load checkpoint from {way.checkpoint}' in told


def test_a_run_resumes_from_the_one_before_a_checkpoint_that_was_cut_short(way: Way) -> None:
    write_teacher(way.folder)
    whole = way.checkpoint.read_bytes()
    last = way.work / 'epoch_2.pth'
    last.write_bytes(whole[: len(whole) // 2])
    (way.work / 'last_checkpoint').write_text(str(last))
    options = ('--work-dir', 'work', '--resume', '--cfg-options', 'train_cfg.max_epochs=2')
    done = run('tools/train.py', 'compose.py', *options, cwd=way.folder)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told[-3000:]
    assert re.search(r'not resumed from: checkpoint: .*epoch_2\.pth. is no checkpoint', told)
    assert re.search(r'resumed from the one before: .*epoch_1\.pth', told)
    assert last.stat().st_size > len(whole) // 2
    newest = max(way.work.rglob('scalars.json'), key=lambda path: path.stat().st_mtime)
    lines = [json.loads(line) for line in newest.read_text().splitlines()]
    assert {line['epoch'] for line in lines if 'loss' in line} == {2}
