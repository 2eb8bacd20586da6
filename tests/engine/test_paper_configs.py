"""The configs of the paper: built as they are, and run for two iterations on drawn pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmcompose.datasets import MixedDataset, PseudoLabeledDataset
from mmcompose.engine import CompositionRunner
from mmcompose.teachers import named_classes
from mmcompose.teachers.mmdet.config import read_config
from mmcompose.teachers.mmdet.model import build_model
from tests import toys

ROOT = Path(__file__).parents[2]
PAPER = ROOT / 'configs/compose/paper'
COMPOSE = PAPER / 'efficientdet-d0_voc_efficientdet-d1_coco_retinanet-r50_1x.py'
FINETUNE = {
    percent: PAPER / f'retinanet-r50_finetune-{percent}percent.py' for percent in (1, 5, 10)
}
# What the rectangles are taken for.
NAMES = {'red': 'person', 'green': 'cat', 'blue': 'tv'}
SIZE = (128, 128)


@pytest.fixture(scope='module')
def teachers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Random weights for both teachers, of detectors that see something everywhere."""
    folder = tmp_path_factory.mktemp('teachers')
    found = {}
    for name, teacher in Config.fromfile(COMPOSE).composition.teachers.items():
        torch.manual_seed(0)
        model = build_model(read_config(str(ROOT / teacher.config)))
        predict = model.bbox_head.cls_tower.predict
        nn.init.normal_(predict.pointwise.weight, std=1.0)
        nn.init.zeros_(predict.pointwise.bias)
        meta = {'dataset_meta': {'classes': named_classes(name)}}
        found[name] = str(folder / f'{name}.pth')
        torch.save({'state_dict': model.state_dict(), 'meta': meta}, found[name])
    return found


def _shrink(value: Any) -> None:
    """Let every pipeline below make pictures of 128 pixels."""
    if isinstance(value, Mapping):
        if value.get('type') == 'Resize':
            value['scale'] = SIZE
        for part in value.values():
            _shrink(part)
    elif isinstance(value, list):
        for part in value:
            _shrink(part)


def _small(path: Path, pool: Path, truth: str, teachers: dict[str, str], folder: Path) -> Config:
    """Return a config of the paper with drawn pictures in place of COCO's, two iterations long."""
    config = Config.fromfile(path)
    for name, teacher in config.composition.teachers.items():
        teacher.update(config=str(ROOT / teacher.config), checkpoint=teachers[name])
        teacher.cfg_options = {
            'model.data_preprocessor.pad_size_divisor': SIZE[0],
            'test_dataloader.dataset.pipeline.1.scale': SIZE,
        }
    config.composition.update(store=str(folder / 'store'), workers=1)
    config.model.backbone.init_cfg = None
    config.load_from = None
    for name in ('val_dataloader', 'test_dataloader'):
        config[name].update(num_workers=0, persistent_workers=False)
        config[name].dataset.update(data_root='', ann_file=truth, data_prefix={'img': str(pool)})
    config.train_dataloader.update(num_workers=0, persistent_workers=False)
    config.train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': 2, 'val_interval': 100}
    config.default_hooks.logger.interval = 1
    config.default_hooks.checkpoint = {'type': 'CheckpointHook', 'interval': 2, 'by_epoch': False}
    config.param_scheduler = None
    config.work_dir = str(folder / path.stem)
    config.experiment_name = path.stem
    _shrink(config._cfg_dict)
    return config


def _run(config: Config) -> Runner:
    runner: Runner = CompositionRunner.from_cfg(config)
    assert runner.model.bbox_head.num_classes == 80
    before = {name: weight.clone() for name, weight in runner.model.state_dict().items()}
    runner.train()
    assert runner.iter == 2
    assert math.isfinite(runner.message_hub.get_scalar('train/loss').current())
    after = runner.model.state_dict()
    assert any((after[name] != before[name]).any() for name in after if 'bbox_head' in name)
    return runner


@pytest.fixture(scope='module')
def coco_truth(drawn: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp('coco')
    return toys.write_coco(folder / 'truth.json', _named(drawn), dict(enumerate(NAMES.values(), 1)))


def _named(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**picture, 'boxes': {NAMES[colour]: box for colour, box in picture['boxes'].items()}}
        for picture in drawn
    ]


@pytest.fixture(scope='module')
def composed(
    pool: Path, coco_truth: str, teachers: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The paper's composition, trained for two iterations; its folder, with store and weights."""
    folder = tmp_path_factory.mktemp('composed')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('POOL', str(pool))
        config = _small(COMPOSE, pool, coco_truth, teachers, folder)
    runner = _run(config)
    dataset = runner.train_dataloader.dataset
    assert isinstance(dataset, PseudoLabeledDataset)
    assert dataset.metainfo['classes'] == named_classes('coco')
    assert dataset.labels.num_boxes > 0
    assert not hasattr(runner.model, 'teachers')
    return folder


def test_the_composition_is_the_papers(composed: Path) -> None:
    config = Config.fromfile(COMPOSE)
    assert tuple(config.composition.class_space.classes) == named_classes('coco')
    assert config.model.type == 'RetinaNet' and config.model.backbone.depth == 50
    assert (composed / COMPOSE.stem / 'iter_2.pth').is_file()


@pytest.mark.parametrize('percent', FINETUNE)
def test_fine_tuning_learns_a_share_of_cocos_labels_and_the_rest_of_its_pictures(
    percent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('FOLD', '3')
    config = Config.fromfile(FINETUNE[percent])
    labeled, rest = config.train_dataloader.dataset.datasets
    files = (labeled.ann_file, rest.dataset.ann_file)
    stem = f'data/coco/annotations/instances_train2017.3@{percent}'
    assert files == (f'{stem}.json', f'{stem}-unlabeled.json')
    assert not any(step['type'] == 'RandAugment' for step in labeled.pipeline)
    assert any(step['type'] == 'RandAugment' for step in rest.pipeline)


def test_configs_of_fine_tuning_differ_in_their_share_alone() -> None:
    found = set()
    for percent, path in FINETUNE.items():
        config = Config.fromfile(path).to_dict()
        # The shares to choose from.
        del config['sources']
        found.add(repr(config).replace(f'@{percent}', '@share'))
    assert len(found) == 1


def test_fine_tuning_starts_from_the_composed_student(
    composed: Path,
    pool: Path,
    drawn: list[dict[str, Any]],
    coco_truth: str,
    teachers: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('POOL', str(pool))
    config = _small(FINETUNE[10], pool, coco_truth, teachers, tmp_path)
    labeled, rest = config.train_dataloader.dataset.datasets
    categories = dict(enumerate(NAMES.values(), 1))
    named = _named(drawn)
    labeled.ann_file = toys.write_coco(tmp_path / 'labeled.json', named[:2], categories)
    rest.dataset.ann_file = toys.write_coco(tmp_path / 'rest.json', named[2:], {})
    config.composition.store = str(composed / 'store')
    config.load_from = str(composed / COMPOSE.stem / 'iter_2.pth')
    runner = _run(config)
    dataset = runner.train_dataloader.dataset
    assert isinstance(dataset, MixedDataset)
    assert [len(part) for part in dataset.datasets] == [2, 6]
