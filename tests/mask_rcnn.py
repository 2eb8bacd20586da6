"""A Mask R-CNN small enough to train in a test, and toy teachers that see masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests import toys

ASSIGNER = {
    'type': 'MaxIoUAssigner',
    'pos_iou_thr': 0.5,
    'neg_iou_thr': 0.5,
    'min_pos_iou': 0.3,
    'match_low_quality': True,
}
SAMPLER = {'type': 'RandomSampler', 'num': 32, 'pos_fraction': 0.5, 'neg_pos_ub': -1}
CODER = {'type': 'DeltaXYWHBBoxCoder'}
NMS = {'type': 'nms', 'iou_threshold': 0.5}


def _extractor(size: int) -> dict[str, Any]:
    return {
        'type': 'SingleRoIExtractor',
        'roi_layer': {'type': 'RoIAlign', 'output_size': size, 'sampling_ratio': 0},
        'out_channels': 8,
        'featmap_strides': [4, 8],
    }


def model(num_classes: int = 3) -> dict[str, Any]:
    """Return the config of a Mask R-CNN of 8 channels on a ResNet-18."""
    return {
        'type': 'MaskRCNN',
        'data_preprocessor': {
            'type': 'DetDataPreprocessor',
            'mean': [123.675, 116.28, 103.53],
            'std': [58.395, 57.12, 57.375],
            'bgr_to_rgb': True,
            'pad_mask': True,
            'pad_size_divisor': 32,
        },
        'backbone': {
            'type': 'ResNet',
            'depth': 18,
            'base_channels': 8,
            'num_stages': 2,
            'strides': (1, 2),
            'dilations': (1, 1),
            'out_indices': (0, 1),
            'norm_cfg': {'type': 'BN', 'requires_grad': True},
        },
        'neck': {'type': 'FPN', 'in_channels': [8, 16], 'out_channels': 8, 'num_outs': 2},
        'rpn_head': {
            'type': 'RPNHead',
            'in_channels': 8,
            'feat_channels': 8,
            'anchor_generator': {
                'type': 'AnchorGenerator',
                'scales': [5],
                'ratios': [0.5, 1.0],
                'strides': [4, 8],
            },
            'bbox_coder': CODER,
            'loss_cls': {'type': 'CrossEntropyLoss', 'use_sigmoid': True},
            'loss_bbox': {'type': 'L1Loss'},
        },
        'roi_head': {
            'type': 'StandardRoIHead',
            'bbox_roi_extractor': _extractor(3),
            'bbox_head': {
                'type': 'Shared2FCBBoxHead',
                'in_channels': 8,
                'fc_out_channels': 16,
                'roi_feat_size': 3,
                'num_classes': num_classes,
                'bbox_coder': CODER,
                'loss_cls': {'type': 'CrossEntropyLoss'},
                'loss_bbox': {'type': 'L1Loss'},
            },
            'mask_roi_extractor': _extractor(6),
            'mask_head': {
                'type': 'FCNMaskHead',
                'num_convs': 1,
                'in_channels': 8,
                'conv_out_channels': 8,
                'num_classes': num_classes,
                'loss_mask': {'type': 'CrossEntropyLoss', 'use_mask': True},
            },
        },
        'train_cfg': {
            'rpn': {
                'assigner': ASSIGNER,
                'sampler': {**SAMPLER, 'add_gt_as_proposals': False},
                'allowed_border': -1,
                'pos_weight': -1,
                'debug': False,
            },
            'rpn_proposal': {'nms_pre': 100, 'max_per_img': 50, 'nms': NMS, 'min_bbox_size': 0},
            'rcnn': {
                'assigner': {**ASSIGNER, 'min_pos_iou': 0.5},
                'sampler': {**SAMPLER, 'add_gt_as_proposals': True},
                'mask_size': 12,
                'pos_weight': -1,
                'debug': False,
            },
        },
        'test_cfg': {
            'rpn': {'nms_pre': 100, 'max_per_img': 50, 'nms': NMS, 'min_bbox_size': 0},
            'rcnn': {'score_thr': 0.0, 'nms': NMS, 'max_per_img': 10, 'mask_thr_binary': 0.5},
        },
    }


def see(
    pixels: NDArray[np.uint8], colours: Sequence[str]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Find what :func:`tests.toys.see` finds, and its pixels, but for each box's first row."""
    boxes, scores, labels = toys.see(pixels, colours)
    masks = np.zeros((len(boxes), *pixels.shape[:2]), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[y1 + 1 : y2, x1:x2] = True
    return boxes, scores, labels, masks


TEACHERS = {
    name: {**config, 'function': 'tests.mask_rcnn.see'} for name, config in toys.TEACHERS.items()
}
