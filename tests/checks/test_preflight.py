"""Tests that a mistake in a config is told, with its key, before a run makes or writes anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmdet.datasets import MultiImageMixDataset
from mmdet.models import RetinaHead
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmcompose.checks.check_datasets import dataset_problems
from mmcompose.checks.check_files import check_checkpoint, check_launcher
from mmcompose.checks.check_model import model_problems
from mmcompose.commands.config_files import merge_options
from mmcompose.commands.mmdet_tools import check_runner
from mmcompose.engine.checked import resolve_checked
from mmcompose.utils import UserError
from tests.engine.toys import student_config


@pytest.fixture
def config(pool: Path, truth: str, tmp_path: Path) -> Config:
    return student_config(pool, truth, tmp_path)


def _told(config: Config) -> str:
    with pytest.raises(UserError) as caught:
        resolve_checked(config)
    (line,) = caught.value.lines
    return line


def test_the_toys_have_no_mistake(config: Config) -> None:
    resolve_checked(config)


TRAIN = 'train_dataloader.dataset'
# Key and value; how the line begins; how it ends.
MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    'argument of the pool': (
        {f'{TRAIN}.dataset.data_prefx': {'img': 'x'}},
        f"{TRAIN}.dataset: 'data_prefx'",
        "did you mean 'data_root'?",
    ),
    'argument of the wrapper': ({f'{TRAIN}.pipelin': []}, f"{TRAIN}: 'pipelin'", ''),
    'transform': (
        {f'{TRAIN}.pipeline.0.type': 'LoadImageFromFil'},
        f"{TRAIN}.pipeline[0].type: 'LoadImageFromFil'",
        "did you mean 'LoadImageFromFile'?",
    ),
    'argument of a transform': (
        {f'{TRAIN}.pipeline.2.probability': 0.5},
        f"{TRAIN}.pipeline[2]: 'probability'",
        '',
    ),
    'transform of a labeled set': (
        {'val_dataloader.dataset.pipeline.1.backnd': 'cv2'},
        "val_dataloader.dataset.pipeline[1]: 'backnd'",
        "did you mean 'backend'?",
    ),
    'pictures of a labeled set': (
        {'val_dataloader.dataset.data_prefix.img': '/nowhere/at/all/'},
        "val_dataloader.dataset.data_prefix.img: '/nowhere/at/all/' is no folder",
        '',
    ),
    'model': ({'model.type': 'RetinaNett'}, "model.type: 'RetinaNett'", "mean 'RetinaNet'?"),
    'module': (
        {'model.bbox_head.type': 'RetinaHad'},
        "model.bbox_head.type: 'RetinaHad'",
        "did you mean 'RetinaHead'?",
    ),
}


@pytest.mark.parametrize(('changes', 'begins', 'ends'), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_key(
    config: Config, changes: dict[str, Any], begins: str, ends: str
) -> None:
    config.test_dataloader = config.test_evaluator = config.test_cfg = None
    config.merge_from_dict(changes)
    line = _told(config)
    assert line.startswith(begins), line
    assert line.endswith(ends), line


def test_a_pool_without_a_dataset_is_told(config: Config) -> None:
    del config.train_dataloader.dataset['dataset']
    assert _told(config) == f'{TRAIN}.dataset: is missing'


def test_weights_that_are_none_are_told(config: Config, tmp_path: Path) -> None:
    (tmp_path / 'weights.pth').write_bytes(b'none')
    config.load_from = str(tmp_path / 'weights.pth')
    line = _told(config)
    assert line.startswith(f"load_from: '{tmp_path / 'weights.pth'}' ")
    assert 'trust' not in line


def test_weights_at_a_url_are_not_asked_for() -> None:
    with pytest.raises(UserError, match=r'^load_from: .* is no file'):
        check_checkpoint('load_from', 'example.org/a.pth')
    check_checkpoint('load_from', 'https://example.org/a.pth')
    check_checkpoint('load_from', None)


def test_an_unknown_runner_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"^runner_type: .*mean 'mmcompose\.CompositionRunner'\?$"):
        check_runner(Config({'runner_type': 'mmcompose.CompositonRunner'}))
    check_runner(Config({'runner_type': 'mmcompose.CompositionRunner'}))
    check_runner(Config({}))


def test_an_option_that_leads_nowhere_is_told(config: Config) -> None:
    merge_options(config, {'composition.workers': 3})
    assert config.composition.workers == 3
    with pytest.raises(UserError, match=r'^--cfg-options: train_dataloader\.dataset\.pipeline\.9'):
        merge_options(config, {f'{TRAIN}.pipeline.9.type': 'X'})


def test_schedulers_may_be_named_by_optimizer(config: Config) -> None:
    one = dict(type='MultiStepLR', milestones=[1])
    config.param_scheduler = dict(first=one, second=[one])
    resolve_checked(config)
    config.param_scheduler = dict(first=one, second=[dict(one, type='MultiStepLRs')])
    with pytest.raises(UserError, match=r"param_scheduler.second\[0\].type: 'MultiStepLRs'"):
        resolve_checked(config)


def test_metrics_may_stand_within_an_evaluator(config: Config) -> None:
    config.val_evaluator = dict(
        type='Evaluator', metrics=[dict(type='CocoMetric', ann_file='there_is_none.json')]
    )
    resolved = resolve_checked(config).config
    # As of a metric that stands alone: the truth comes from the dataset.
    assert resolved.val_evaluator.metrics[0].ann_file is None
    config.val_evaluator.metrics[0].type = 'CocoMetrics'
    with pytest.raises(UserError, match=r"val_evaluator.metrics\[0\].type: 'CocoMetrics'"):
        resolve_checked(config)


def test_every_argument_that_a_constructor_refuses_is_told(config: Config) -> None:
    config.model.bbox_head.reg_decoded_box = True
    config.model.backbone.depht = 18
    with DefaultScope.overwrite_default_scope('mmdet'):
        told = model_problems(config)
    assert [f'{each.key}: {each.value!r}' for each in told] == [
        "model.backbone: 'depht'",
        "model.bbox_head: 'reg_decoded_box'",
    ]


class ColouredHead(RetinaHead):  # type: ignore[misc]
    """A head that takes what its signature does not tell, and may fail at something else."""

    def __init__(self, **arguments: Any) -> None:
        colour = arguments.pop('colour')
        super().__init__(**arguments)
        self.paint = colour + ' paint'


@pytest.mark.parametrize('colour', ['red', 3])
def test_an_argument_that_no_constructor_refuses_is_not_told(config: Config, colour: Any) -> None:
    config.model.bbox_head.type = ColouredHead
    config.model.bbox_head.colour = colour
    with DefaultScope.overwrite_default_scope('mmdet'):
        # 3 is a TypeError, but no mistake that its line would be right about.
        assert model_problems(config) == []


def test_pictures_that_no_step_loads_are_told_before_labels_are_made(config: Config) -> None:
    dataset = config.train_dataloader.dataset
    steps, dataset.pipeline = dataset.pipeline, None
    assert _told(config) == f'{TRAIN}.pipeline: has no step that loads a picture'
    parts = [{**dataset.dataset, 'pipeline': steps}, dataset.dataset]
    dataset.dataset = {'type': 'ConcatDataset', 'datasets': parts}
    line = _told(config)
    assert line.startswith(f'{TRAIN}.dataset.datasets[1].pipeline: differs from {TRAIN}.dataset.')
    dataset.dataset.datasets.pop()
    resolve_checked(config)
    # One around it may load them.
    del dataset.dataset.datasets[0].pipeline
    mixed = {'type': 'MultiImageMixDataset', 'dataset': dataset, 'pipeline': steps}
    config.train_dataloader.dataset = mixed
    resolve_checked(config)


@pytest.mark.parametrize(
    'wrapper',
    [
        {'type': 'RepeatDataset', 'times': 2},
        {'type': 'ClassBalancedDataset', 'oversample_thr': 0.1},
        {'type': 'MultiImageMixDataset', 'pipeline': [{'type': 'LoadImageFromFile'}]},
    ],
    ids=lambda each: each['type'],
)
@pytest.mark.parametrize('name', ['dataset', 'pool'])
def test_a_wrapper_of_pseudo_labels_stands_around_them(
    config: Config, wrapper: dict[str, Any], name: str
) -> None:
    dataset = config.train_dataloader.dataset
    dataset[name] = {'type': 'ConcatDataset', 'datasets': [{**wrapper, 'dataset': dataset.dataset}]}
    kind = wrapper['type']
    line = f'{TRAIN}.{name}.datasets[0].type: {kind!r} belongs around PseudoLabeledDataset, not in'
    assert _told(config).startswith(line)


class OwnMixDataset(MultiImageMixDataset):  # type: ignore[misc]
    """A user's own, which gives its steps other pictures as its parent does."""


def test_mosaic_takes_other_pictures_of_a_mix_dataset_and_its_kin() -> None:
    steps = [{'type': 'Mosaic', 'img_scale': (64, 64)}]
    bare = {'type': 'CocoDataset', 'pipeline': steps}
    kin = {'type': OwnMixDataset, 'dataset': {'type': 'CocoDataset'}, 'pipeline': steps}
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert dataset_problems('data', kin) == []
        (told,) = dataset_problems('data', bare)
    assert str(told).startswith('data.pipeline[0]: Mosaic takes other pictures')


@pytest.mark.parametrize(
    'changes',
    [
        {'indices': 0},
        {'test_mode': False, 'filter_cfg': {'filter_empty_gt': True, 'min_size': 1000}},
    ],
    ids=['indices', 'filter'],
)
@pytest.mark.parametrize('where', ['train_dataloader', 'val_dataloader'])
def test_truth_of_which_no_picture_is_left_is_told(
    config: Config, changes: dict[str, Any], where: str
) -> None:
    truth = {**config.val_dataloader.dataset, **changes}
    if where == 'val_dataloader':
        config.val_dataloader.dataset = truth
        config.val_evaluator = {'type': 'CocoMetric', 'metric': 'bbox'}
    else:
        unlabeled = config.train_dataloader.dataset
        labeled = {'type': 'mmcompose.ClassSpaceDataset', 'dataset': truth}
        labeled['pipeline'] = truth.pop('pipeline')
        config.train_dataloader.dataset = {
            'type': 'mmcompose.MixedDataset',
            'datasets': [labeled, unlabeled],
        }
    line = _told(config)
    assert line.startswith(f'{where}.ClassSpaceDataset.dataset.')
    assert 'leave no image' in line or 'leaves' in line


@pytest.mark.parametrize(
    ('launcher', 'environment', 'line'),
    [
        ('pytorch', {}, r'did not start this process \(RANK is not set\)'),
        ('pytorch', {'RANK': '0', 'MASTER_PORT': '1'}, r'WORLD_SIZE, LOCAL_RANK, MASTER_ADDR$'),
        ('slurm', {'SLURM_PROCID': '0', 'SLURM_NTASKS': '1'}, 'SLURM_NODELIST$'),
        ('mpi', {'SLURM_PROCID': '0'}, 'OMPI_COMM_WORLD_RANK is not set'),
    ],
)
def test_all_that_a_group_is_made_of_is_there(
    launcher: str, environment: dict[str, str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('os.environ', environment)
    with pytest.raises(UserError, match=f"--launcher: '{launcher}' .*{line}"):
        check_launcher(launcher)
