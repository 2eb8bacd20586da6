"""EfficientDet as MMDetection's modules: its graph, its size, and as a student like any other."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import nn

from mmcompose.engine import CompositionRunner
from mmcompose.engine.hooks import ClassRowsHook
from mmcompose.engine.num_classes import set_num_classes
from mmcompose.models.bifpn import BiFPN, fusions
from mmcompose.models.separable_conv import half_size
from tests.engine.toys import student_config

ROOT = Path(__file__).parents[2]
MODEL = ROOT / 'configs/_base_/models/efficientdet_{}.py'


def _tiny(num_classes: int) -> Config:
    """EfficientDet-D0 with a narrow neck and head."""
    model = Config.fromfile(str(MODEL).format('d0')).model
    model.data_preprocessor.pad_size_divisor = 128
    model.neck.update(out_channels=16, num_cells=1)
    model.bbox_head.update(in_channels=16, stacked_convs=1, num_classes=num_classes)
    return model


def _build(model: Config) -> nn.Module:
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(copy.deepcopy(model))


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    return importlib.import_module('efficientdet')


@pytest.mark.parametrize('name', ['d0', 'd1'])
def test_parameters_and_multiply_adds_are_the_published(name: str, benchmark: ModuleType) -> None:
    parameters, multiply_adds, _ = benchmark.complexity(name).values()
    assert parameters == pytest.approx({'d0': 3.9, 'd1': 6.6}[name], rel=0.02)
    assert multiply_adds == pytest.approx({'d0': 2.5, 'd1': 6.1}[name], rel=0.02)


@pytest.mark.parametrize(
    ('name', 'parameters', 'size'),
    [('d2', 8.1, 768), ('d4', 21, 1024), ('d7', 52, 1536)],
)
def test_larger_models_have_the_published_parameters(
    name: str, parameters: float, size: int
) -> None:
    config = Config.fromfile(str(MODEL).format(name))
    config.model.bbox_head.num_classes = 90
    found = sum(weight.numel() for weight in _build(config.model).parameters())
    assert found / 1e6 == pytest.approx(parameters, rel=0.02)
    assert config.image_size == (size, size)
    assert config.model.data_preprocessor.pad_size_divisor == size
    training = Config.fromfile(
        ROOT / f'configs/efficientdet/efficientdet_{name}_8xb16-300e_coco.py'
    )
    assert training.train_dataloader.dataset.pipeline[3].crop_size == (size, size)
    assert training.test_dataloader.dataset.pipeline[1].scale == (size, size)


def test_the_graph_of_a_cell_is_the_papers() -> None:
    # Figure 2 d: P3 to P7 in are 0 to 4; down P6, P5, P4, P3 are 5 to 8; up P4 to P7 the rest.
    assert fusions(5) == [
        (3, (3, 4)),
        (2, (2, 5)),
        (1, (1, 6)),
        (0, (0, 7)),
        (1, (1, 7, 8)),
        (2, (2, 6, 9)),
        (3, (3, 5, 10)),
        (4, (4, 11)),
    ]


@pytest.mark.parametrize(('size', 'half'), [((6, 4), (3, 2)), ((7, 5), (4, 3)), ((1, 2), (1, 1))])
def test_odd_sizes_are_halved_up(size: tuple[int, int], half: tuple[int, int]) -> None:
    features = torch.randn(1, 2, *size)
    halved = half_size(features)
    assert halved.shape[-2:] == half
    # Padding is never a maximum, and no pixel is passed over.
    assert halved.max() == features.max()


def test_levels_of_odd_sizes_are_fused() -> None:
    neck = BiFPN([4, 6], 8, num_cells=2, num_outs=4)
    outputs = neck([torch.randn(1, 4, 13, 9), torch.randn(1, 6, 7, 5)])
    sizes = [tuple(output.shape[1:]) for output in outputs]
    assert sizes == [(8, 13, 9), (8, 7, 5), (8, 4, 3), (8, 2, 2)]


def test_a_negative_weight_is_none() -> None:
    neck = BiFPN([4], 4, num_cells=1, num_outs=2).eval()
    node = neck.cells[0].nodes[0]
    finer, coarser = torch.randn(1, 4, 4, 4), torch.randn(1, 4, 2, 2)
    with torch.no_grad():
        node.weights.copy_(torch.tensor([1.0, -1.0]))
        first = node([finer, coarser], finer.shape[-2:])
        second = node([finer, coarser + 1], finer.shape[-2:])
    torch.testing.assert_close(first, second)


def test_the_huber_loss_is_the_published() -> None:
    head = _build(_tiny(2)).bbox_head
    predicted, target = torch.randn(7, 4) * 0.3, torch.randn(7, 4) * 0.3
    # Over the coordinates of the positives, 50 times their mean.
    expected = 50 * nn.functional.huber_loss(predicted, target, delta=0.1)
    found = head.loss_bbox(predicted, target, torch.ones(7, 4), avg_factor=7)
    torch.testing.assert_close(found, expected)


def test_a_box_teaches_boxes_and_an_empty_picture_teaches_classes_alone() -> None:
    model = _build(_tiny(2))
    model.init_weights()
    sample = DetDataSample(metainfo=dict(img_shape=(128, 128), pad_shape=(128, 128)))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[20.0, 20.0, 60.0, 60.0]]), labels=torch.tensor([1])
    )
    images = torch.randn(2, 3, 128, 128)
    losses = model.loss(images, [sample, sample])
    assert sum(losses['loss_bbox']) > 0
    sample.gt_instances = sample.gt_instances[:0]
    empty = model.loss(images, [sample, sample])
    assert sum(empty['loss_bbox']) == 0 and sum(empty['loss_cls']) > 0


def test_the_class_count_follows_from_the_class_space() -> None:
    model = _tiny(80)
    with DefaultScope.overwrite_default_scope('mmdet'):
        set_num_classes(model, 7, MODELS)
    assert model.bbox_head.num_classes == 7
    assert 'num_classes' not in model.backbone and 'num_classes' not in model.neck
    assert _build(model).bbox_head.cls_tower.predict.pointwise.out_channels == 9 * 7


@torch.no_grad()
def test_a_checkpoint_of_other_classes_gives_its_rows() -> None:
    old, new = ('a', 'b', 'c'), ('c', 'x', 'a', 'y')
    source, target = _build(_tiny(len(old))).eval(), _build(_tiny(len(new))).eval()
    for weight in source.parameters():
        weight.add_(torch.randn_like(weight) * 0.05)
    checkpoint: dict[str, Any] = {
        'state_dict': source.state_dict(),
        'meta': {'dataset_meta': {'classes': old}},
    }
    cfg = SimpleNamespace(model=_tiny(len(new)))
    runner = SimpleNamespace(model=target, cfg=cfg, _resume=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        ClassRowsHook(new).after_load_checkpoint(runner, checkpoint)
    target.load_state_dict(checkpoint['state_dict'])
    images = torch.randn(1, 3, 128, 128)
    for theirs, ours in zip(
        source.bbox_head(source.neck(source.backbone(images)))[0],
        target.bbox_head(target.neck(target.backbone(images)))[0],
        strict=True,
    ):
        by_class = theirs.unflatten(1, (9, len(old)))
        kept = ours.unflatten(1, (9, len(new)))
        torch.testing.assert_close(kept[:, :, 0], by_class[:, :, 2])
        torch.testing.assert_close(kept[:, :, 2], by_class[:, :, 0])


def test_it_is_a_student(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    config.model = _tiny(80)
    config.experiment_name = 'efficientdet_student'
    runner: Runner = CompositionRunner.from_cfg(config)
    before = {name: weight.clone() for name, weight in runner.model.named_parameters()}
    runner.train()
    assert runner.model.bbox_head.num_classes == 3
    changed = [n for n, weight in runner.model.named_parameters() if (weight != before[n]).any()]
    assert {name.split('.')[0] for name in changed} == {'backbone', 'neck', 'bbox_head'}
    assert runner.message_hub.get_scalar('val/coco/bbox_mAP').current() >= 0
