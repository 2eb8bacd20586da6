"""Heads of MMDet's own configs, small enough to look at their gradients."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import mmdet
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from torch import Tensor, nn

from tests.models.weighted_targets import students
from tests.models.weighted_targets.students import BACKBONE, CLASSES, SIZE, build

CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'
ONE_STAGE = {
    'FCOS': 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco',
    'FoveaBox': 'foveabox/fovea_r50_fpn_4xb4-1x_coco',
    'RepPoints': 'reppoints/reppoints-moment_r50_fpn_1x_coco',
    'YOLOv3': 'yolo/yolov3_d53_8xb8-ms-608-273e_coco',
    'FSAF': 'fsaf/fsaf_r50_fpn_1x_coco',
    'CondInst': 'condinst/condinst_r50_fpn_ms-poly-90k_coco_instance',
    'BoxInst': 'boxinst/boxinst_r50_fpn_ms-90k_coco',
    'PAA': 'paa/paa_r50_fpn_1x_coco',
    'VFNet': 'vfnet/vfnet_r50_fpn_1x_coco',
    'VFNet with focal loss': 'vfnet/vfnet_r50_fpn_1x_coco',
    'DDOD': 'ddod/ddod_r50_fpn_1x_coco',
    'LD': 'ld/ld_r18-gflv1-r101_fpn_1x_coco',
    'TOOD': 'tood/tood_r50_fpn_1x_coco',
    'SABL': 'sabl/sabl-retinanet_r50_fpn_1x_coco',
    'FreeAnchor': 'free_anchor/freeanchor_r50_fpn_1x_coco',
    'AutoAssign': 'autoassign/autoassign_r50-caffe_fpn_1x_coco',
    'CenterNet': 'centernet/centernet_r18_8xb16-crop512-140e_coco',
    'CenterNet update': 'centernet/centernet-update_r50-caffe_fpn_ms-1x_coco',
}
QUERIES = {
    'DETR': 'detr/detr_r50_8xb2-150e_coco',
    'Conditional DETR': 'conditional_detr/conditional-detr_r50_8xb2-50e_coco',
    'DAB-DETR': 'dab_detr/dab-detr_r50_8xb2-50e_coco',
    'Deformable DETR': 'deformable_detr/deformable-detr_r50_16xb2-50e_coco',
    'two-stage Deformable DETR': 'deformable_detr/'
    'deformable-detr-refine-twostage_r50_16xb2-50e_coco',
    'DINO': 'dino/dino-4scale_r50_8xb2-12e_coco',
    'MaskFormer': 'maskformer/maskformer_r50_ms-16xb1-75e_coco',
    'Mask2Former': 'mask2former/mask2former_r50_8xb2-lsj-50e_coco',
    'DDQ': 'ddq/ddq-detr-4scale_r50_8xb2-12e_coco',
}
TWO_STAGES = {
    'SABL R-CNN': 'sabl/sabl-faster-rcnn_r50_fpn_1x_coco',
    'Grid R-CNN': 'grid_rcnn/grid-rcnn_r50_fpn_gn-head_1x_coco',
    'Mask Scoring R-CNN': 'ms_rcnn/ms-rcnn_r50_fpn_1x_coco',
    'PointRend': 'point_rend/point-rend_r50-caffe_fpn_ms-1x_coco',
    'HTC': 'htc/htc-without-semantic_r50_fpn_1x_coco',
    'Sparse R-CNN': 'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco',
    'QueryInst': 'queryinst/queryinst_r50_fpn_1x_coco',
}
# A background of all classes at once: a softmax's, or YOLOv3's objectness.
ONE_BACKGROUND = {'YOLOv3', 'SSD', 'DETR', 'MaskFormer', 'Mask2Former', *TWO_STAGES} - {
    'Sparse R-CNN',
    'QueryInst',
}
FILES = {**ONE_STAGE, **QUERIES, **TWO_STAGES}
ALL = ['SSD', *ONE_STAGE, *QUERIES, *TWO_STAGES]
# What a network of 256 channels is made of, at an eighth.
_SMALLER = {256: 32, 512: 32, 1024: 32, 2048: 32, 128: 16, 6: 2, 900: 30, 300: 20, 100: 20}
# These encode places in 256 channels, whatever their own are.
_ENCODE_PLACES = ('Conditional DETR', 'two-stage Deformable DETR', 'DINO')
_NARROWER = {6: 2, 900: 30, 300: 20, 1024: 32, 2048: 32}


def _small(value: Any, smaller: dict[int, int], key: str = '') -> Any:
    if isinstance(value, dict):
        return {name: _small(each, smaller, name) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_small(each, smaller, key) for each in value)
    width = key.endswith(('channels', 'channel', 'dims', 'feats', 'queries', 'layers'))
    return smaller.get(value, value) if width and isinstance(value, int) else value


def _small_config(name: str) -> dict[str, Any]:
    config: dict[str, Any] = Config.fromfile(CONFIGS / f'{FILES[name]}.py').model.to_dict()
    config['backbone'] = {**BACKBONE, 'out_indices': (0, 1, 2, 3)}
    channels = [8, 16, 32, 64]
    smaller = _NARROWER if name in _ENCODE_PLACES else _SMALLER
    backbone = config.pop('backbone')
    config = {**_small(config, smaller), 'backbone': backbone}
    if name in ('MaskFormer', 'Mask2Former'):
        things = {
            'in_channels': channels, 'num_things_classes': CLASSES, 'num_stuff_classes': 0,
        }  # fmt: skip
        config['panoptic_head'] |= things
        config['panoptic_head']['loss_cls']['class_weight'] = [1.0] * CLASSES + [0.1]
        config['panoptic_fusion_head'] |= {
            'num_things_classes': CLASSES, 'num_stuff_classes': 0,
        }  # fmt: skip
        # Large-scale jitter pads to 1024 pixels.
        config['data_preprocessor'] = students.PREPROCESSOR
        return config
    if name == 'BoxInst':
        # Its own compares the colors of neighbors: see `samples`.
        config['data_preprocessor'] = students.PREPROCESSOR
    neck = config['neck']
    if neck['type'] == 'CTResNetNeck':
        neck |= {'in_channels': 64, 'num_deconv_filters': [32, 16, 8], 'use_dcn': False}
        config['bbox_head'] |= {'in_channels': 8, 'feat_channels': 8}
        config['backbone']['out_indices'] = (3,)
    elif neck['type'] == 'YOLOV3Neck':
        neck |= {'in_channels': [64, 32, 16], 'out_channels': [32, 16, 8]}
        config['bbox_head'] |= {'in_channels': [32, 16, 8], 'out_channels': [32, 16, 8]}
        config['backbone']['out_indices'] = (1, 2, 3)
    elif 'in_channels' in neck:
        neck['in_channels'] = channels[-len(neck['in_channels']) :]
        config['backbone']['out_indices'] = tuple(range(4 - len(neck['in_channels']), 4))
    if name in QUERIES and smaller is _SMALLER:
        config['bbox_head']['embed_dims'] = 32
    if name == 'VFNet with focal loss':
        focal = {'type': 'FocalLoss', 'use_sigmoid': True}
        config['bbox_head'] |= {'use_vfl': False, 'loss_cls': focal}
    if name == 'DDOD':
        # The smallest level has one place.
        config['bbox_head']['use_dcn'] = False
    if 'teacher_config' in config:
        head = {**config['bbox_head'], 'type': 'GFLHead'}
        del head['loss_ld']
        plain = ('data_preprocessor', 'neck', 'train_cfg', 'test_cfg')
        teacher = {name: config[name] for name in plain}
        teacher |= {'type': 'GFL', 'backbone': config['backbone'], 'bbox_head': head}
        config |= {'teacher_config': {'model': teacher}, 'teacher_ckpt': None}
    _set_classes(config)
    return config


@cache
def _built(name: str) -> nn.Module:
    torch.manual_seed(0)
    # MMDet's SSD is of pictures of 300 pixels.
    model = build(students.SSD if name == 'SSD' else _small_config(name))
    model.init_weights()
    # Scores and boxes that differ from place to place: a fresh head's are all alike.
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data += 0.02 * torch.randn_like(parameter)
    model.train()
    return model


def _set_classes(value: Any) -> None:
    if isinstance(value, dict):
        if value.get('num_classes', 1) > 1:
            value['num_classes'] = CLASSES
        for each in value.values():
            _set_classes(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _set_classes(each)


def model_of(name: str) -> nn.Module:
    """Return a copy of a small student, the same one each time."""
    return copy.deepcopy(_built(name))


def samples(**labels: Any) -> list[DetDataSample]:
    """Return the labels of two images, see :func:`students.samples`, with masks.

    Pixels of the same color are those of every other neighbor, as BoxInst sees them.
    """
    made = students.samples(**labels)
    for sample in made:
        outlines = np.ones((len(sample.gt_instances), SIZE, SIZE), np.uint8)
        sample.gt_instances.masks = BitmapMasks(outlines, SIZE, SIZE)
        alike = torch.ones(len(outlines), 8, SIZE // 4, SIZE // 4)
        alike[:, ::2] = 0
        sample.gt_instances.pairwise_masks = alike
    return made


def gradients(model: nn.Module, labels: list[DetDataSample]) -> tuple[dict[str, Tensor], Any]:
    """Return the gradients of a model's parameters on two images of noise, and its losses."""
    torch.manual_seed(0)
    images = torch.rand(2, 3, SIZE, SIZE) * 255
    data = model.data_preprocessor({'inputs': images, 'data_samples': labels}, True)
    torch.manual_seed(0)
    losses = model.loss(data['inputs'], data['data_samples'])
    total, logged = model.parse_losses(losses)
    model.zero_grad()
    total.backward()
    found = {
        name: torch.zeros_like(each) if each.grad is None else each.grad.clone()
        for name, each in model.named_parameters()
    }
    return found, {name: float(value) for name, value in logged.items()}
