"""Tiny students of five kinds of target assignment, and a look at their gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import Tensor, nn

SIZE = 64
CLASSES = 3
# Channels of GFL's box: a distribution over five distances for each side.
GFL_BOX = 20
PREPROCESSOR = {'type': 'DetDataPreprocessor', 'mean': [127.0] * 3, 'std': [60.0] * 3}
BACKBONE = {'type': 'ResNet', 'depth': 18, 'base_channels': 8, 'out_indices': (1, 2, 3)}
NECK = {'type': 'FPN', 'in_channels': [16, 32, 64], 'out_channels': 8, 'num_outs': 3}
STRIDES = [8, 16, 32]
CODER = {'type': 'DeltaXYWHBBoxCoder'}
MAX_IOU = {
    'assigner': {
        'type': 'MaxIoUAssigner', 'pos_iou_thr': 0.5, 'neg_iou_thr': 0.4, 'min_pos_iou': 0,
    },
    'sampler': {'type': 'PseudoSampler'},
    'allowed_border': -1, 'pos_weight': -1, 'debug': False,
}  # fmt: skip


def _one_stage(detector: str, head: dict[str, Any], train_cfg: dict[str, Any]) -> dict[str, Any]:
    plain = {'num_classes': CLASSES, 'in_channels': 8, 'feat_channels': 8, 'stacked_convs': 1}
    return {
        'type': detector, 'data_preprocessor': PREPROCESSOR, 'backbone': BACKBONE, 'neck': NECK,
        'bbox_head': {**plain, **head}, 'train_cfg': train_cfg, 'test_cfg': {},
    }  # fmt: skip


RETINANET = _one_stage(
    'RetinaNet',
    {
        'type': 'RetinaHead', 'loss_bbox': {'type': 'L1Loss'}, 'bbox_coder': CODER,
        'loss_cls': {'type': 'FocalLoss', 'use_sigmoid': True},
        'anchor_generator': {
            'type': 'AnchorGenerator', 'octave_base_scale': 3, 'scales_per_octave': 2,
            'ratios': [0.5, 1.0], 'strides': STRIDES,
        },
    },
    MAX_IOU,
)  # fmt: skip
ATSS = _one_stage(
    'ATSS',
    {
        'type': 'ATSSHead', 'loss_bbox': {'type': 'GIoULoss', 'loss_weight': 2.0},
        'norm_cfg': None, 'bbox_coder': CODER,
        'anchor_generator': {
            'type': 'AnchorGenerator', 'ratios': [1.0], 'octave_base_scale': 3,
            'scales_per_octave': 1, 'strides': STRIDES,
        },
        'loss_cls': {'type': 'FocalLoss', 'use_sigmoid': True},
        'loss_centerness': {'type': 'CrossEntropyLoss', 'use_sigmoid': True},
    },
    {**MAX_IOU, 'assigner': {'type': 'ATSSAssigner', 'topk': 4}},
)  # fmt: skip
RTMDET = _one_stage(
    'RTMDet',
    {
        'type': 'RTMDetHead', 'with_objectness': False, 'norm_cfg': {'type': 'BN'},
        'anchor_generator': {'type': 'MlvlPointGenerator', 'offset': 0, 'strides': STRIDES},
        'bbox_coder': {'type': 'DistancePointBBoxCoder'},
        'loss_cls': {'type': 'QualityFocalLoss', 'use_sigmoid': True, 'beta': 2.0},
        'loss_bbox': {'type': 'GIoULoss', 'loss_weight': 2.0},
    },
    {
        'assigner': {'type': 'DynamicSoftLabelAssigner', 'topk': 5},
        'allowed_border': -1, 'pos_weight': -1, 'debug': False,
    },
)  # fmt: skip
YOLOX = _one_stage(
    'YOLOX',
    {'type': 'YOLOXHead', 'strides': STRIDES},
    {'assigner': {'type': 'SimOTAAssigner', 'center_radius': 2.5}},
)
# What weights do not reach, and what soft targets do not.
PISA = copy.deepcopy(RETINANET)
PISA['bbox_head']['type'] = 'PISARetinaHead'
GHM = copy.deepcopy(RETINANET)
GHM['bbox_head']['loss_cls'] = {'type': 'GHMC'}
GFL = _one_stage(
    'GFL',
    {
        'type': 'GFLHead', 'norm_cfg': None, 'reg_max': 4,
        'anchor_generator': ATSS['bbox_head']['anchor_generator'],
        'loss_cls': {'type': 'QualityFocalLoss', 'use_sigmoid': True},
        'loss_dfl': {'type': 'DistributionFocalLoss'}, 'loss_bbox': {'type': 'GIoULoss'},
    },
    {**MAX_IOU, 'assigner': {'type': 'ATSSAssigner', 'topk': 4}},
)  # fmt: skip
SSD = {
    'type': 'SingleStageDetector', 'data_preprocessor': PREPROCESSOR, 'backbone': BACKBONE,
    'neck': NECK,
    'bbox_head': {
        'type': 'SSDHead', 'num_classes': CLASSES, 'in_channels': (8, 8, 8), 'bbox_coder': CODER,
        'anchor_generator': {
            'type': 'SSDAnchorGenerator', 'strides': STRIDES, 'ratios': ([2], [2], [2]),
            'basesize_ratio_range': (0.15, 0.9), 'input_size': 300, 'scale_major': False,
        },
    },
    'train_cfg': {**MAX_IOU, 'smoothl1_beta': 1.0, 'neg_pos_ratio': 3}, 'test_cfg': {},
}  # fmt: skip
FASTER_RCNN = {
    'type': 'FasterRCNN', 'data_preprocessor': PREPROCESSOR, 'backbone': BACKBONE, 'neck': NECK,
    'rpn_head': {
        'type': 'RPNHead', 'in_channels': 8, 'feat_channels': 8, 'bbox_coder': CODER,
        'anchor_generator': {
            'type': 'AnchorGenerator', 'scales': [3], 'ratios': [0.5, 1.0], 'strides': STRIDES,
        },
        'loss_cls': {'type': 'CrossEntropyLoss', 'use_sigmoid': True},
        'loss_bbox': {'type': 'L1Loss'},
    },
    'roi_head': {
        'type': 'StandardRoIHead',
        'bbox_roi_extractor': {
            'type': 'SingleRoIExtractor', 'out_channels': 8, 'featmap_strides': STRIDES,
            'roi_layer': {'type': 'RoIAlign', 'output_size': 3, 'sampling_ratio': 0},
        },
        'bbox_head': {
            'type': 'Shared2FCBBoxHead', 'in_channels': 8, 'fc_out_channels': 16,
            'roi_feat_size': 3, 'num_classes': CLASSES, 'bbox_coder': CODER,
            'loss_cls': {'type': 'CrossEntropyLoss', 'use_sigmoid': False},
            'loss_bbox': {'type': 'L1Loss'},
        },
    },
    'train_cfg': {
        'rpn': {
            **MAX_IOU,
            'sampler': {'type': 'RandomSampler', 'num': 64, 'pos_fraction': 0.5,
                        'neg_pos_ub': -1, 'add_gt_as_proposals': False},
        },
        'rpn_proposal': {'nms_pre': 100, 'max_per_img': 50, 'min_bbox_size': 0,
                         'nms': {'type': 'nms', 'iou_threshold': 0.7}},
        'rcnn': {
            **MAX_IOU,
            'assigner': {**MAX_IOU['assigner'], 'neg_iou_thr': 0.5, 'match_low_quality': False},
            'sampler': {'type': 'RandomSampler', 'num': 32, 'pos_fraction': 0.25,
                        'neg_pos_ub': -1, 'add_gt_as_proposals': True},
        },
    },
    'test_cfg': {'rpn': {'nms_pre': 100, 'max_per_img': 50, 'min_bbox_size': 0,
                         'nms': {'type': 'nms', 'iou_threshold': 0.7}}, 'rcnn': {}},
}  # fmt: skip
MASK_RCNN = copy.deepcopy(FASTER_RCNN)
MASK_RCNN['type'] = 'MaskRCNN'
MASK_RCNN['roi_head'] |= {
    'mask_roi_extractor': {
        **FASTER_RCNN['roi_head']['bbox_roi_extractor'],
        'roi_layer': {'type': 'RoIAlign', 'output_size': 4, 'sampling_ratio': 0},
    },
    'mask_head': {
        'type': 'FCNMaskHead', 'num_convs': 1, 'in_channels': 8, 'conv_out_channels': 8,
        'num_classes': CLASSES, 'roi_feat_size': 4,
        'loss_mask': {'type': 'CrossEntropyLoss', 'use_mask': True},
    },
}  # fmt: skip
MASK_RCNN['train_cfg']['rcnn']['mask_size'] = 8
CASCADE_RCNN = copy.deepcopy(FASTER_RCNN)
CASCADE_RCNN['type'] = 'CascadeRCNN'
CASCADE_RCNN['roi_head'] |= {
    'type': 'CascadeRoIHead', 'num_stages': 2, 'stage_loss_weights': [1, 0.5],
    'bbox_head': [
        {**FASTER_RCNN['roi_head']['bbox_head'], 'reg_class_agnostic': True} for _ in range(2)
    ],
}  # fmt: skip
CASCADE_RCNN['train_cfg']['rcnn'] = [FASTER_RCNN['train_cfg']['rcnn']] * 2
CONFIGS = {
    'RetinaNet': RETINANET, 'ATSS': ATSS, 'RTMDet': RTMDET, 'YOLOX': YOLOX,
    'Faster R-CNN': FASTER_RCNN,
}  # fmt: skip
OTHERS = {
    'Mask R-CNN': MASK_RCNN, 'Cascade R-CNN': CASCADE_RCNN, 'GFL': GFL,
}  # fmt: skip
ONE_STAGE = [name for name in CONFIGS if name != 'Faster R-CNN']


def build(config: dict[str, Any]) -> nn.Module:
    """Build a detector."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        model: nn.Module = MODELS.build(ConfigDict(copy.deepcopy(config)))
    return model


@cache
def _built(name: str) -> nn.Module:
    torch.manual_seed(0)
    config = {**CONFIGS, **OTHERS}[name]
    model = build(config)
    model.init_weights()
    # Scores that differ from place to place: a fresh head's are all alike.
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data += 0.02 * torch.randn_like(parameter)
    # No running statistics: two runs are the same.
    return model.train()


def student(name: str) -> nn.Module:
    """Return a copy of a freshly initialised student, the same one each time."""
    return copy.deepcopy(_built(name))


# Two boxes an image, apart from each other.
BOXES = [
    [[2.0, 3.0, 27.0, 29.0], [34.0, 33.0, 61.0, 58.0]],
    [[6.0, 36.0, 30.0, 60.0], [36.0, 4.0, 62.0, 28.0]],
]
LABELS = [[0, 1], [1, 2]]


def samples(
    weights: Sequence[Sequence[float]] | None = None,
    scores: Sequence[Sequence[float]] | None = None,
    ignored: Sequence[Sequence[Sequence[float]]] = ((), ()),
    covered: Sequence[Sequence[int] | None] = (None, None),
) -> list[DetDataSample]:
    """Return the labels of two images."""
    made = []
    for number in range(2):
        boxes = InstanceData(
            bboxes=torch.tensor(BOXES[number]), labels=torch.tensor(LABELS[number])
        )
        if weights is not None:
            boxes.weights = torch.tensor(weights[number])
        if scores is not None:
            boxes.scores = torch.tensor(scores[number])
        left_out = torch.tensor(ignored[number]).reshape(-1, 4)
        sample = DetDataSample(
            gt_instances=boxes,
            ignored_instances=InstanceData(
                bboxes=left_out, labels=torch.zeros(len(left_out), dtype=torch.long)
            ),
        )
        shape = (SIZE, SIZE)
        sample.set_metainfo({'img_shape': shape, 'ori_shape': shape, 'batch_input_shape': shape,
                             'pad_shape': shape, 'scale_factor': (1.0, 1.0)})  # fmt: skip
        if covered[number] is not None:
            sample.set_metainfo({'covered_classes': covered[number]})
        made.append(sample)
    return made


class Seen:
    """What one backward pass of a model showed.

    ``gradients`` and ``outputs`` are by head and name: of priors ``(B, P, K)``, of RoIs
    ``(R, K)``. ``assigned`` is by head, for each image ``(P,)``: the box of each prior.
    """

    def __init__(self) -> None:
        self.losses: dict[str, Any] = {}
        self.outputs: dict[str, dict[str, Tensor]] = {}
        self.gradients: dict[str, dict[str, Tensor]] = {}
        self.assigned: dict[str, list[Tensor]] = {}
        self.results: dict[str, list[Any]] = {}
        self.targets: dict[str, list[Any]] = {}
        self.parameters: dict[str, Tensor] = {}


_NAMES = {
    'RetinaHead': ('cls', 'box'), 'ATSSHead': ('cls', 'box', 'centerness'),
    'RTMDetHead': ('cls', 'box'), 'YOLOXHead': ('cls', 'box', 'obj'), 'RPNHead': ('obj', 'box'),
    'GFLHead': ('cls', 'box'),
}  # fmt: skip


def look(model: nn.Module, labels: list[DetDataSample], seed: int = 0) -> Seen:
    """Run a model forward and backward on two images of noise."""
    seen = Seen()
    torch.manual_seed(seed)
    images = torch.rand(2, 3, SIZE, SIZE) * 255
    raw: dict[str, Any] = {}
    with _listening(model, seen, raw):
        data = model.data_preprocessor({'inputs': images, 'data_samples': labels}, True)
        torch.manual_seed(seed)
        losses = model.loss(data['inputs'], data['data_samples'])
        seen.losses = {key: value for key, value in losses.items() if 'loss' in key}
        total, _ = model.parse_losses(losses)
        model.zero_grad()
        total.backward()
    for head, outputs in raw.items():
        seen.outputs[head], seen.gradients[head] = {}, {}
        for name, tensors in outputs.items():
            laid = [_by_prior(each, each.detach(), name) for each in tensors]
            slopes = [torch.zeros_like(e) if e.grad is None else e.grad for e in tensors]
            grads = [_by_prior(e, g, name) for e, g in zip(tensors, slopes, strict=True)]
            dim = 1 if tensors[0].dim() == 4 else 0
            seen.outputs[head][name] = torch.cat(laid, dim)
            seen.gradients[head][name] = torch.cat(grads, dim)
    seen.parameters = {
        name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None
    }
    return seen


def _by_prior(output: Tensor, values: Tensor, name: str) -> Tensor:
    if output.dim() != 4:
        return values
    size = {'cls': CLASSES, 'box': 4}.get(name, 1)
    if output.shape[1] == GFL_BOX:
        size = GFL_BOX
    return values.permute(0, 2, 3, 1).reshape(len(values), -1, size)


@contextmanager
def _listening(model: nn.Module, seen: Seen, raw: dict[str, Any]) -> Iterator[None]:
    undo: list[Callable[[], Any]] = []

    def keep(head: str, names: Sequence[str]) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            parts = [[each] if isinstance(each, Tensor) else each for each in output]
            for part in parts:
                for tensor in part:
                    tensor.retain_grad()
            raw[head] = dict(zip(names, parts, strict=True))

        return hook

    def spy(head: str, owner: Any) -> None:
        original = owner.assign

        def assign(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            seen.assigned.setdefault(head, []).append(result.gt_inds.clone())
            seen.results.setdefault(head, []).append(result)
            return result

        owner.assign = assign
        undo.append(lambda: setattr(owner, 'assign', original))

    def spy_sampler(owner: Any) -> None:
        original = owner.sample

        def sample(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            empty = torch.zeros(len(result.neg_inds), dtype=torch.long)
            owners = torch.cat([result.pos_assigned_gt_inds + 1, empty])
            seen.assigned.setdefault('rois', []).append(owners)
            return result

        owner.sample = sample
        undo.append(lambda: setattr(owner, 'sample', original))

    def targets(head: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            seen.targets.setdefault(head, []).append(args)

        return hook

    for name in ('bbox_head', 'rpn_head'):
        if hasattr(model, name):
            head = getattr(model, name)
            handle = head.register_forward_hook(keep(name, _NAMES[type(head).__name__]))
            undo += [handle.remove, head.loss_cls.register_forward_hook(targets(name)).remove]
            spy(name, head.assigner)
    if hasattr(model, 'roi_head'):
        head = model.roi_head.bbox_head
        if isinstance(head, nn.ModuleList):
            for sampler in model.roi_head.bbox_sampler:
                spy_sampler(sampler)
        else:
            undo.append(head.register_forward_hook(keep('roi_head', ('cls', 'box'))).remove)
            undo.append(head.loss_cls.register_forward_hook(targets('roi_head')).remove)
            spy('roi_head', model.roi_head.bbox_assigner)
            spy_sampler(model.roi_head.bbox_sampler)
    try:
        yield
    finally:
        for each in undo:
            each()
