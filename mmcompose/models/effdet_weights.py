"""Checkpoints of the ``effdet`` package (rwightman/efficientdet-pytorch) for our EfficientDet."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.models import EfficientNet, SingleStageDetector
from torch import Tensor, nn

from mmcompose.models.bifpn import BiFPN
from mmcompose.models.efficientdet_head import EfficientDetHead
from mmcompose.teachers import named_classes, read_checkpoint
from mmcompose.teachers.mmdet.config import read_config
from mmcompose.teachers.mmdet.model import build_model
from mmcompose.utils import UserError, fault, no_file, problem

# COCO's category ids run to 90 and leave ten out; effdet's models have a row for each.
_COCO_ROWS = 90
_COCO_MISSING_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
# What a training or validation bench of effdet holds beside the network.
_ANCHORS = re.compile(r'(anchors|anchor_labeler)\.')
_WRAPPERS = re.compile(r'^(module\.)?(model\.)?')
# MMDetection's name in a block of the backbone, and timm's in a block without expansion and with.
_BLOCK = {
    'expand_conv.conv': (None, 'conv_pw'),
    'expand_conv.bn': (None, 'bn1'),
    'depthwise_conv.conv': ('conv_dw', 'conv_dw'),
    'depthwise_conv.bn': ('bn1', 'bn2'),
    'se.conv1.conv': ('se.conv_reduce', 'se.conv_reduce'),
    'se.conv2.conv': ('se.conv_expand', 'se.conv_expand'),
    'linear_conv.conv': ('conv_pw', 'conv_pwl'),
    'linear_conv.bn': ('bn2', 'bn3'),
}
_SEPARABLE = {'depthwise': 'conv_dw', 'pointwise': 'conv_pw'}
_TOWERS = {'cls_tower': 'class_net', 'reg_tower': 'box_net'}


def convert_effdet(
    checkpoint: str | Path, config: str, classes: str | Sequence[str] = 'coco', ema: bool = False
) -> dict[str, Any]:
    """Make an MMDetection checkpoint of one that effdet's training script or zoo made.

    Args:
        checkpoint: The file; of a ``tf_efficientdet_d0`` to ``_d7`` or an ``_ap`` of them.
        config: A config of the same EfficientDet, such as one of configs/efficientdet.
        classes: Names of its classes in order: of a data set that MMDetection knows, a text file
            with one a line, or the names. A COCO model's 90 rows become the 80 that have names.
        ema: Whether to take the exponential moving average that the training script kept.

    Returns:
        ``state_dict``, and the classes in ``meta``; to be saved with ``torch.save``.

    Raises:
        UserError: If the config is of no EfficientDet, or the checkpoint is not of its model, or
            of another class count.
    """
    model = _efficientdet(config)
    # The training script keeps its own command line beside the weights.
    with torch.serialization.safe_globals([Namespace]):
        content = read_checkpoint(checkpoint)
    part = 'state_dict_ema' if ema else 'state_dict'
    if part not in content:
        raise UserError(
            problem('checkpoint', str(checkpoint), 'keeps no moving average (state_dict_ema)')
        )
    names = read_classes(classes)
    weights = convert_weights(content[part], model, names)
    return {'state_dict': weights, 'meta': {'dataset_meta': {'classes': names}}}


def _efficientdet(config: str) -> SingleStageDetector:
    read = read_config(config)
    if read.get('model') is None:
        raise UserError(fault('model', f'is missing from {config}'))
    model = build_model(read)
    kinds = {'backbone': EfficientNet, 'neck': BiFPN, 'bbox_head': EfficientDetHead}
    if not all(isinstance(getattr(model, name, None), kind) for name, kind in kinds.items()):
        expected = 'is of no EfficientDet; take one of configs/efficientdet'
        raise UserError(problem('config', config, expected))
    return model


def read_classes(classes: str | Sequence[str]) -> tuple[str, ...]:
    """Return class names as they are, of a data set that MMDet knows, or of a text file."""
    if isinstance(classes, str) and classes.endswith('.txt'):
        if not Path(classes).is_file():
            raise UserError(no_file('classes', classes))
        lines = Path(classes).read_text(encoding='utf-8').splitlines()
        classes = [line.strip() for line in lines if line.strip()]
    return named_classes(classes)


def convert_weights(
    weights: Mapping[str, Tensor], model: SingleStageDetector, classes: Sequence[str]
) -> dict[str, Tensor]:
    """Return effdet's weights by the names, and in the order, of our EfficientDet.

    Args:
        weights: effdet's ``state_dict``, with or without its bench around it.
        model: The detector that they are for.
        classes: Names of the classes.

    Raises:
        UserError: If the weights are of another model, or of another number of classes.
    """
    found = {_WRAPPERS.sub('', name): weight for name, weight in weights.items()}
    found = {name: weight for name, weight in found.items() if not _ANCHORS.match(name)}
    own = model.state_dict()
    names = dict(_names(model, own))
    missing = sorted(set(names.values()) - set(found))
    unknown = sorted(set(found) - set(names.values()))
    for verb, rest in (('lacks', missing), ('has also', unknown)):
        if rest:
            raise UserError(
                fault(
                    'checkpoint',
                    f'is of another model than the config: it {verb} {rest[0]!r} '
                    f'({len(rest)} such weights)',
                )
            )
    converted = {}
    for name, theirs in names.items():
        weight = found[theirs]
        if name.startswith('bbox_head.cls_tower.predict.pointwise'):
            weight = _class_rows(weight, model.bbox_head.num_base_priors, classes)
        elif name.startswith('bbox_head.reg_tower.predict.pointwise'):
            weight = _box_rows(weight)
        if weight.shape != own[name].shape:
            raise UserError(
                problem(
                    'checkpoint',
                    theirs,
                    f'is {list(weight.shape)}, where the config makes it '
                    f'{list(own[name].shape)}; is it of the same model and class count?',
                )
            )
        converted[name] = weight.clone()
    return converted


def _class_rows(weight: Tensor, num_anchors: int, classes: Sequence[str]) -> Tensor:
    """Return the rows ``(anchors * classes, ...)`` of the classes alone."""
    by_anchor = weight.view(num_anchors, -1, *weight.shape[1:])
    rows = by_anchor.shape[1]
    if rows == _COCO_ROWS and tuple(classes) == named_classes('coco'):
        ids = [i for i in range(1, _COCO_ROWS + 1) if i not in _COCO_MISSING_IDS]
        by_anchor = by_anchor[:, torch.tensor(ids) - 1]
    elif rows != len(classes):
        raise UserError(
            problem('classes', len(classes), f'names, but the checkpoint has {rows} classes')
        )
    return by_anchor.reshape(-1, *weight.shape[1:])


def _box_rows(weight: Tensor) -> Tensor:
    """Return the rows ``(anchors * 4, ...)`` as x, y, width, height; effdet has y, x, h, w."""
    return weight.view(-1, 4, *weight.shape[1:])[:, [1, 0, 3, 2]].reshape(weight.shape)


def _names(model: SingleStageDetector, own: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    """Yield each of our weights' names with effdet's."""
    blocks = dict(_timm_blocks(model.backbone))
    edges = model.neck.cells[0].edges
    num_in = model.neck.cells[0].num_levels - len(model.neck.extra)
    for name in own:
        part, rest = name.split('.', 1)
        if part == 'backbone':
            yield name, f'backbone.{_backbone_name(rest, blocks)}'
        elif part == 'neck':
            yield name, f'fpn.{_neck_name(rest, edges, num_in)}'
        else:
            yield name, _head_name(rest)


def _timm_blocks(backbone: Any) -> Iterator[tuple[str, str]]:
    """Yield each block's name with timm's, which begins a stage where the channels change."""
    stage, block, channels = -1, 0, 0
    module: Any
    for layer, blocks in enumerate(backbone.layers):
        if not isinstance(blocks, nn.Sequential):
            continue
        for number, module in enumerate(blocks):
            width = module.linear_conv.conv.out_channels
            stage, block = (stage + 1, 0) if width != channels else (stage, block + 1)
            channels = width
            yield f'{layer}.{number}', f'blocks.{stage}.{block}'


def _backbone_name(name: str, blocks: Mapping[str, str]) -> str:
    _, layer, rest = name.split('.', 2)
    if layer == '0':
        module, weight = rest.split('.')
        return f'{dict(conv="conv_stem", bn="bn1")[module]}.{weight}'
    number, rest = rest.split('.', 1)
    module, weight = rest.rsplit('.', 1)
    block = blocks[f'{layer}.{number}']
    expands = not block.startswith('blocks.0.')
    return f'{block}.{_BLOCK[module][expands]}.{weight}'


def _neck_name(name: str, edges: Sequence[tuple[int, tuple[int, ...]]], num_in: int) -> str:
    keys = name.split('.')
    if keys[0] == 'extra':
        # extra, level, convolution or normalisation, weight
        return f'resample.{num_in + int(keys[1])}.conv.{_projection_name(keys[2])}.{keys[3]}'
    _, cell, _, node, *rest = keys
    place = f'cell.{cell}.fnode.{node}'
    if rest[0] == 'weights':
        return f'{place}.combine.edge_weights'
    if rest[0] == 'projections':
        source = edges[int(node)][1][int(rest[1])]
        return f'{place}.combine.resample.{source}.conv.{_projection_name(rest[2])}.{rest[3]}'
    module = 'bn' if rest[0] == 'norm' else _SEPARABLE[rest[1]]
    return f'{place}.after_combine.conv.{module}.{rest[-1]}'


def _projection_name(number: str) -> str:
    return ('conv', 'bn')[int(number)]


def _head_name(name: str) -> str:
    tower, kind, *rest = name.split('.')
    if kind == 'predict':
        place = f'predict.{_SEPARABLE[rest[0]]}'
    elif kind == 'convs':
        place = f'conv_rep.{rest[0]}.{_SEPARABLE[rest[1]]}'
    else:
        place = f'bn_rep.{rest[0]}.{rest[1]}.bn'
    return f'{_TOWERS[tower]}.{place}.{rest[-1]}'
