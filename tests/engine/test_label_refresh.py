"""Tests of PseudoLabelRefreshHook: rounds, workers that persist, kills and resumes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, RUNNERS
from mmengine.runner import Runner

from mmcompose.composition import STUDENT
from mmcompose.datasets import PseudoLabeledDataset, pseudo_labeled
from mmcompose.engine import resolve
from mmcompose.engine.checked import resolve_checked
from mmcompose.engine.hooks.label_refresh import FOLDER, STATE, PseudoLabelRefreshHook
from mmcompose.utils import UserError
from tests.engine.toys import student_config

REFRESH = {'type': 'mmcompose.PseudoLabelRefreshHook', 'interval': 1}
# In batches of two, eight images are four iterations an epoch.
EPOCH = 4
# Kept and ignored boxes where the student votes for nothing.
VOTED_DOWN = (2, 19)


class Killed(Exception):
    """What ends a run where a test wants it to."""


class WatchHook(Hook):
    """Record what reaches the model, and end the run at an iteration."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.kill_at = kill_at
        self.boxes: list[tuple[int, int]] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Count the batch's kept and ignored boxes."""
        samples = data_batch['data_samples']
        kept = sum(len(sample.gt_instances) for sample in samples)
        self.boxes.append((kept, sum(len(sample.ignored_instances) for sample in samples)))
        if runner.iter == self.kill_at:
            raise Killed


@pytest.fixture(autouse=True)
def _registered() -> Any:
    HOOKS.register_module(name='WatchHook', module=WatchHook, force=True)
    yield
    HOOKS.module_dict.pop('WatchHook')


def _config(pool: Path, truth: str, folder: Path, epochs: int, **refresh: Any) -> Config:
    config = student_config(pool, truth, folder)
    config.train_cfg = {'type': 'EpochBasedTrainLoop', 'max_epochs': epochs, 'val_interval': 1000}
    config.train_dataloader.update(num_workers=1, persistent_workers=True)
    config.default_hooks.checkpoint = {'type': 'CheckpointHook', 'interval': 1}
    ema = {'type': 'EMAHook', 'update_buffers': True, 'priority': 49}
    config.custom_hooks = [{'type': 'WatchHook'}, ema, {**REFRESH, **refresh}]
    return config


def _train(config: Config, kill_at: int | None = None, resume: bool = False) -> Runner:
    config.custom_hooks[0].kill_at = kill_at
    config.resume = resume
    config.pop('visualizer', None)
    # A run's place among MMEngine's managers; a resumed run would be a process of its own.
    config.experiment_name = f'{Path(config.work_dir).parent.name}-{resume}'
    runner: Runner = RUNNERS.build(config)
    if kill_at is None:
        runner.train()
    else:
        with pytest.raises(Killed):
            runner.train()
    return runner


def _hook(runner: Runner, kind: Any) -> Any:
    return next(hook for hook in runner.hooks if isinstance(hook, kind))


def _labels(runner: Runner) -> PseudoLabeledDataset:
    (dataset,) = pseudo_labeled(runner.train_dataloader.dataset)
    return dataset


def _seen(runner: Runner, start: int = 0) -> tuple[int, ...]:
    boxes = _hook(runner, WatchHook).boxes[start : start + EPOCH]
    return tuple(map(sum, zip(*boxes, strict=True)))


class Rounds:
    """A run of four epochs with a round before each but the first."""

    def __init__(self, pool: Path, truth: str, folder: Path) -> None:
        self.folder = folder
        config = _config(pool, truth, folder, epochs=4)
        config.train_cfg.val_interval = 1
        config.log_level = 'INFO'
        self.runner = _train(config)
        self.log = next((folder / 'work').rglob('*.log')).read_text()
        self.state: dict[str, Any] = self.runner.message_hub.get_info(STATE)
        self.epochs = [_seen(self.runner, start) for start in range(0, 4 * EPOCH, EPOCH)]


@pytest.fixture(scope='module')
def rounds(pool: Path, truth: str, tmp_path_factory: pytest.TempPathFactory) -> Rounds:
    """One run, looked at by several tests."""
    HOOKS.register_module(name='WatchHook', module=WatchHook, force=True)
    return Rounds(pool, truth, tmp_path_factory.mktemp('rounds'))


def test_workers_that_persist_deliver_the_labels_of_the_round(rounds: Rounds) -> None:
    # A student that has learned nothing yet votes for nothing: each box loses one vote of two or
    # three, and all but the surest fall into the ignore band.
    assert rounds.epochs == [(21, 0), VOTED_DOWN, VOTED_DOWN, VOTED_DOWN]


def test_there_are_rounds_beside_true_labels_and_where_epochs_are_cut_short(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _config(pool, truth, tmp_path, epochs=2)
    loader = config.train_dataloader
    # True labels have a metainfo of their own, of which MMDet makes a list.
    labeled = {
        'type': 'mmcompose.ClassSpaceDataset',
        'dataset': {'type': 'CocoDataset', 'ann_file': truth, 'data_prefix': {'img': str(pool)}},
        'pipeline': loader.dataset.pipeline,
        'metainfo': {'palette': [(0, 0, 0)] * 3},
    }
    loader.dataset = {'type': 'ConcatDataset', 'datasets': [labeled, loader.dataset]}
    loader.num_batch_per_epoch = 2
    loader.pop('batch_sampler')
    runner = _train(config)
    assert runner.message_hub.get_info(STATE)['round'] == 1
    counts = _labels(runner).count_boxes().sum(axis=0)
    assert tuple(counts) == VOTED_DOWN


def test_it_stops_when_labels_stop_changing(rounds: Rounds) -> None:
    first, second = (each['changed'] for each in rounds.state['rounds'])
    assert first == pytest.approx(1 - 2 * 2 / 42) and second == 0
    assert [each['epoch'] for each in rounds.state['rounds']] == [1, 2]
    assert rounds.state['round'] == 2 and rounds.state['stopped']
    saved = {path.name for path in (rounds.folder / 'work' / FOLDER).iterdir()}
    assert saved == {'student.py', 'round_1.pth', 'round_2.pth'}


def test_teachers_are_not_asked_again(rounds: Rounds) -> None:
    predictions = list((rounds.folder / 'store' / 'predictions').iterdir())
    # Two teachers, and the student of two rounds.
    assert len(predictions) == 4
    assert len(list((rounds.folder / 'store' / 'labels').iterdir())) == 3


def test_the_average_of_the_weights_is_what_votes(rounds: Rounds) -> None:
    saved = torch.load(rounds.folder / 'work' / FOLDER / 'round_1.pth', weights_only=True)
    checkpoint = torch.load(rounds.folder / 'work' / 'epoch_1.pth', weights_only=True)
    # MMEngine saves the average as the checkpoint's weights, and those trained as the average.
    assert saved['state_dict'].keys() == checkpoint['state_dict'].keys()
    for name, weight in saved['state_dict'].items():
        assert torch.equal(weight, checkpoint['state_dict'][name]), name
    trained = checkpoint['ema_state_dict']
    assert any(
        not torch.equal(weight, trained[f'module.{name}'])
        for name, weight in saved['state_dict'].items()
    )


def test_a_checkpoint_carries_its_round(rounds: Rounds) -> None:
    for epoch, number in ((1, 0), (2, 1), (3, 2), (4, 2)):
        path = rounds.folder / 'work' / f'epoch_{epoch}.pth'
        hub = torch.load(path, weights_only=True)['message_hub']
        assert hub['runtime_info'][STATE]['round'] == number


def test_a_killed_run_goes_on_in_the_same_round_with_the_same_labels(
    rounds: Rounds, pool: Path, truth: str, tmp_path: Path
) -> None:
    epoch = 3
    config = _config(pool, truth, tmp_path, epochs=epoch)
    # In the middle of the last epoch: its round has begun, its checkpoint is not written.
    _train(config.copy(), kill_at=(epoch - 1) * EPOCH + 1)
    assert not (tmp_path / 'work' / f'epoch_{epoch}.pth').exists()
    predictions = set((tmp_path / 'store' / 'predictions').iterdir())
    resumed = _train(config.copy(), resume=True)
    state = resumed.message_hub.get_info(STATE)
    assert state['round'] == epoch - 1
    path = rounds.folder / 'work' / f'epoch_{epoch}.pth'
    saved = torch.load(path, weights_only=True)
    expected = saved['message_hub']['runtime_info'][STATE]
    assert _labels(resumed).labels_fingerprint == saved['meta']['pseudo_labels'][0]['learned']
    changed = [[each['changed'] for each in one['rounds']] for one in (state, expected)]
    assert changed[0] == changed[1]
    # The student was asked once, by the run that was killed.
    assert set((tmp_path / 'store' / 'predictions').iterdir()) == predictions
    assert _seen(resumed) == VOTED_DOWN


@pytest.mark.parametrize('store', ['kept', 'deleted'])
def test_a_run_resumes_in_a_round_that_went_on(
    store: str, rounds: Rounds, pool: Path, truth: str, tmp_path: Path
) -> None:
    shutil.copytree(rounds.folder, tmp_path, dirs_exist_ok=True)
    if store == 'deleted':
        shutil.rmtree(tmp_path / 'store')
    config = _config(pool, truth, tmp_path, epochs=5)
    if store == 'kept':
        # Labels that are there need no teacher, and no student.
        shutil.rmtree(tmp_path / 'work' / FOLDER)
    resumed = _train(config, resume=True)
    assert resumed.epoch == 5
    state = resumed.message_hub.get_info(STATE)
    assert state['round'] == 2 and state['stopped']
    assert _labels(resumed).labels_fingerprint == _labels(rounds.runner).labels_fingerprint
    assert _seen(resumed) == VOTED_DOWN


def test_a_run_does_not_resume_with_other_labels(
    rounds: Rounds, pool: Path, truth: str, tmp_path: Path
) -> None:
    shutil.copytree(rounds.folder, tmp_path, dirs_exist_ok=True)
    config = _config(pool, truth, tmp_path, epochs=5, weight=0.5)
    with pytest.raises(UserError, match='resume: the checkpoint was trained on labels'):
        _train(config, resume=True)


def test_a_run_does_not_resume_with_other_labels_before_its_first_round_either(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _config(pool, truth, tmp_path, epochs=2)
    config.default_hooks.checkpoint.update(by_epoch=False)
    _train(config.copy(), kill_at=2)
    config.composition.label_pipeline[-1].keep = 0.9
    with pytest.raises(UserError, match='resume: the checkpoint was trained on labels'):
        _train(config, resume=True)


def test_a_run_that_resumes_within_an_epoch_does_not_begin_its_round_again(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _config(pool, truth, tmp_path, epochs=2, stop_below=0.0)
    config.default_hooks.checkpoint.update(by_epoch=False)
    killed = _train(config.copy(), kill_at=EPOCH + 2)
    resumed = _train(config.copy(), resume=True)
    state, before = (run.message_hub.get_info(STATE) for run in (resumed, killed))
    assert state['round'] == before['round'] == 1
    assert _labels(resumed).labels_fingerprint == _labels(killed).labels_fingerprint
    assert [each['epoch'] for each in state['rounds']] == [1]
    # MMEngine begins the epoch anew.
    assert _seen(resumed) == VOTED_DOWN


def test_a_round_that_was_not_scored_has_no_gain(pool: Path, truth: str, tmp_path: Path) -> None:
    config = _config(pool, truth, tmp_path, epochs=4, stop_below=0.0)
    config.train_cfg.val_interval = 2
    state = _train(config).message_hub.get_info(STATE)
    assert [each['epoch'] for each in state['rounds'] if each['metrics']] == [2]
    hook = PseudoLabelRefreshHook(interval=1)
    rounds = [{'metrics': {'mAP': 0.2}}, {'metrics': {}}]
    assert hook._gain({'rounds': rounds}) == ''
    hook.after_val_epoch(SimpleNamespace(), {'mAP': 0.25, 'mAP_50': 0.5})
    assert hook._gain({'rounds': rounds}) == 'mAP 0.250 (+0.050)'


def test_the_gain_of_a_round_is_told(rounds: Rounds) -> None:
    said = [line.split(' - ')[-1] for line in rounds.log.splitlines() if 'pseudo-labels: ' in line]
    assert said[0].startswith(
        'round 1 of pseudo-labels: 2 boxes kept (-19), 19 ignored (+19), 90.5% changed; before it '
        'coco/bbox_mAP 0.'
    )
    assert 'round 2 of pseudo-labels: 2 boxes kept (+0), 19 ignored (+0), 0.0% changed' in said[1]
    assert re.fullmatch(
        r'after round 2 of pseudo-labels: coco/bbox_mAP \d\.\d{3} \([+-]\d\.\d{3}\)', said[2]
    )


def test_rounds_by_iterations_and_without_an_average(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _config(pool, truth, tmp_path, epochs=1, interval=2, by_epoch=False, max_rounds=1)
    config.train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': 6, 'val_interval': 1000}
    config.default_hooks.checkpoint.update(interval=2, by_epoch=False)
    del config.custom_hooks[1]
    config.train_dataloader.sampler = {'type': 'InfiniteSampler'}
    # Without workers nothing is made ahead.
    config.train_dataloader.update(num_workers=0, persistent_workers=False)
    runner = _train(config)
    state = runner.message_hub.get_info(STATE)
    assert [each['iter'] for each in state['rounds']] == [2]
    ignored = [ignored > 0 for _, ignored in _hook(runner, WatchHook).boxes]
    # The third batch was made before its iteration began.
    assert ignored[:3] == [False, False, False] and any(ignored[3:])
    saved = torch.load(tmp_path / 'work' / FOLDER / 'round_1.pth', weights_only=True)
    checkpoint = torch.load(tmp_path / 'work' / 'iter_2.pth', weights_only=True)
    assert all(
        torch.equal(weight, checkpoint['state_dict'][name])
        for name, weight in saved['state_dict'].items()
    )


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        ({'custom_hooks': [{**REFRESH, 'interval': 0}]},
         'custom_hooks[0].interval: 0 is not 1 or more'),
        ({'custom_hooks': [{**REFRESH, 'iou_thr': 5}]},
         'custom_hooks[0].iou_thr: 5 is not in [0, 1]'),
        ({'custom_hooks': [{**REFRESH, 'wait': 0.5}]},
         "custom_hooks[0]: 'wait' is not a key here"),
        ({'train_cfg': {'type': 'IterBasedTrainLoop', 'max_iters': 6}},
         'custom_hooks[2].by_epoch: True makes no round in a train_cfg that'),
        ({'train_cfg': {'by_epoch': False, 'max_iters': 6}},
         'custom_hooks[2].by_epoch: True makes no round in a train_cfg that'),
        ({'test_dataloader': None, 'val_dataloader': None},
         'test_pipeline: is missing, and test_dataloader'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_before_anything_is_made(
    change: dict[str, Any], says: str, pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _config(pool, truth, tmp_path, epochs=2)
    for key, value in change.items():
        config[key] = value
    with pytest.raises(UserError) as caught:
        resolve_checked(config)
    assert any(line.startswith(says) for line in caught.value.lines)
    assert list(tmp_path.iterdir()) == []


def test_a_training_set_without_pseudo_labels_is_told(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _config(pool, truth, tmp_path, epochs=2)
    config.train_dataloader.dataset = config.val_dataloader.dataset
    with pytest.raises(UserError, match=r'holds no mmcompose\.Pseudo'):
        resolve_checked(config)


def test_the_name_student_is_still_taken_in_a_config(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _config(pool, truth, tmp_path, epochs=1)
    config.composition.teachers[STUDENT] = config.composition.teachers.first
    with pytest.raises(UserError, match="'student' is taken"):
        resolve(config)
