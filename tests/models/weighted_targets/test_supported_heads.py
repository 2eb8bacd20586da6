"""Tests of which heads are said to be reached, and of masks and cascades beyond the five."""

from __future__ import annotations

import copy

import pytest
import torch
from mmdet.models import dense_heads, roi_heads
from mmdet.models.roi_heads import bbox_heads
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from mmcompose.models.weighted_targets import attach, not_reached, unreached_heads
from mmcompose.models.weighted_targets.soft_targets import mixes
from mmcompose.models.weighted_targets.targets import lie_in
from tests.models.weighted_targets.students import (
    CLASSES,
    CONFIGS,
    RETINANET,
    build,
    look,
    samples,
)
from tests.models.weighted_targets.zoo import CONFIGS as ZOO
from tests.models.weighted_targets.zoo import FILES


@pytest.mark.parametrize(
    'name',
    ['RetinaHead', 'RetinaSepBNHead', 'ATSSHead', 'GFLHead', 'RTMDetHead',
     'RTMDetSepBNHead', 'YOLOXHead', 'RPNHead', 'SSDHead', 'PAAHead', 'VFNetHead', 'TOODHead',
     'SABLRetinaHead', 'DDODHead', 'LDHead'],
)  # fmt: skip
def test_heads_that_assign_boxes_to_priors_are_reached(name: str) -> None:
    assert not_reached(getattr(dense_heads, name)) is None


@pytest.mark.parametrize(
    'name',
    ['FCOSHead', 'NASFCOSHead', 'FoveaHead', 'CenterNetHead', 'CenterNetUpdateHead',
     'AutoAssignHead', 'FreeAnchorRetinaHead', 'DETRHead', 'ConditionalDETRHead', 'DABDETRHead',
     'DeformableDETRHead', 'DINOHead', 'DDQDETRHead', 'YOLOV3Head', 'RepPointsHead',
     'CondInstBboxHead', 'CondInstMaskHead', 'BoxInstMaskHead'],
)  # fmt: skip
def test_heads_with_targets_of_their_own_are_reached(name: str) -> None:
    assert not_reached(getattr(dense_heads, name)) is None


@pytest.mark.parametrize(
    'name',
    ['CornerHead', 'CascadeRPNHead', 'PISARetinaHead', 'RTMDetInsHead', 'LADHead',
     'YOLACTHead', 'GroundingDINOHead', 'ATSSVLFusionHead'],
)  # fmt: skip
def test_other_heads_are_told_with_a_reason(name: str) -> None:
    assert name in (not_reached(getattr(dense_heads, name)) or '')


def test_second_stages() -> None:
    assert not_reached(roi_heads.StandardRoIHead) is None
    assert not_reached(roi_heads.CascadeRoIHead) is None
    assert not_reached(roi_heads.SparseRoIHead, [bbox_heads.DIIHead]) is None
    assert not_reached(roi_heads.PISARoIHead) is not None
    shared, sabl = bbox_heads.Shared2FCBBoxHead, bbox_heads.SABLHead
    assert not_reached(roi_heads.StandardRoIHead, [shared, sabl]) is None
    crowds = bbox_heads.MultiInstanceBBoxHead
    named = not_reached(roi_heads.CascadeRoIHead, [shared, crowds])
    assert 'MultiInstanceBBoxHead' in (named or '')


def test_each_head_of_a_config_is_named_by_its_key() -> None:
    with DefaultScope.overwrite_default_scope('mmdet'):
        for config in CONFIGS.values():
            assert unreached_heads(config, MODELS) == []
        other = copy.deepcopy(RETINANET)
        other['bbox_head'] = {'type': 'CornerHead'}
        (line,) = unreached_heads(other, MODELS)
        assert line.startswith('model.bbox_head.type: CornerHead')
        (line,) = unreached_heads({'type': 'SoftTeacher', 'detector': other}, MODELS)
        assert line.startswith('model.detector.bbox_head.type: CornerHead')


def test_a_second_stage_of_another_kind_is_named_in_config_and_model() -> None:
    with DefaultScope.overwrite_default_scope('mmdet'):
        config = copy.deepcopy(CONFIGS['Faster R-CNN'])
        config['roi_head']['bbox_head'] = {'type': 'MultiInstanceBBoxHead', 'num_classes': 3}
        (line,) = unreached_heads(config, MODELS)
        attached = attach(MODELS.build(ConfigDict(config)))
    assert line == 'model.roi_head.type: its bbox_head MultiInstanceBBoxHead has a loss of its own'
    assert attached.unreached == [line.replace('.type', '')]


def test_a_second_stage_with_a_column_for_background_learns_with_a_sigmoid_loss() -> None:
    config = copy.deepcopy(CONFIGS['Faster R-CNN'])
    config['roi_head']['bbox_head']['loss_cls'] = {'type': 'FocalLoss', 'use_sigmoid': True}
    model = build(config)
    assert not attach(model).unreached
    seen = look(model, samples(weights=[[1.0, 0.5], [1.0, 1.0]], covered=((0,), None)))
    gradient = seen.gradients['roi_head']['cls']
    assert gradient.shape[1] == CLASSES + 1 and gradient.isfinite().all()


def test_proposals_without_a_loss_of_their_own_are_not_named() -> None:
    path = FILES['Sparse R-CNN']
    model = Config.fromfile(ZOO / f'{path}.py').model
    assert model.rpn_head.type == 'EmbeddingRPNHead'
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert unreached_heads(model, MODELS) == []


def test_a_loss_that_is_summed_up_takes_no_soft_targets() -> None:
    with DefaultScope.overwrite_default_scope('mmdet'):
        config = copy.deepcopy(RETINANET)
        for reduction, takes in (('mean', True), ('none', True), ('sum', False)):
            config['bbox_head']['loss_cls']['reduction'] = reduction
            assert mixes(MODELS.build(ConfigDict(config)).bbox_head.loss_cls) is takes


def test_priors_in_a_box() -> None:
    boxes = torch.tensor([[10.0, 10.0, 30.0, 30.0]])
    priors = torch.tensor(
        [
            [12.0, 12.0, 20.0, 20.0],  # within
            [0.0, 0.0, 60.0, 60.0],  # large; its centre is on the border
            [0.0, 10.0, 20.0, 20.0],  # half of it within, centre on the border
            [0.0, 12.0, 17.0, 28.0],  # less than half, centre outside
            [40.0, 40.0, 50.0, 50.0],  # outside
        ]
    )
    ignored = InstanceData(bboxes=boxes)
    assert lie_in(priors, ignored).tolist() == [True, True, True, False, False]
    points = torch.tensor([[8.0, 8.0, 8.0, 8.0], [0.0, 8.0, 8.0, 8.0], [28.0, 8.0, 8.0, 8.0]])
    assert lie_in(points, ignored, 0.0).tolist() == [True, False, False]
    assert lie_in(points, ignored, 0.5).tolist() == [False, False, False]
    assert lie_in(priors, ignored[:0]).tolist() == [False] * 5
    assert lie_in(priors, None).tolist() == [False] * 5
    many = boxes.repeat(70, 1) + 100
    assert not lie_in(priors, InstanceData(bboxes=many)).any()
    both = InstanceData(bboxes=torch.cat([many, boxes]))
    assert lie_in(priors, both).tolist() == lie_in(priors, ignored).tolist()
