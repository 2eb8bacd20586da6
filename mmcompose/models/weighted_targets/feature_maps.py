"""How a head lays its priors out: on the maps of its outputs, and in the rows of its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import (
    AnchorHead,
    ATSSHead,
    CondInstBboxHead,
    FCOSHead,
    FoveaHead,
    GFLHead,
    LDHead,
    PAAHead,
    RepPointsHead,
    SABLRetinaHead,
    TOODHead,
    VFNetHead,
    YOLOFHead,
)
from torch import Tensor

# Outputs of a head that are (B, A * K, H, W): A priors at each place of a level.
OUTPUTS = (
    'cls_scores', 'bbox_preds', 'objectnesses', 'centernesses', 'iou_preds', 'bbox_preds_refine',
)  # fmt: skip
# What a head's loss takes that is the output of another model.
OF_TEACHERS = ('soft_targets',)
# Heads that call their classification loss once a level, with a row for each prior.
_BY_LEVEL = tuple(
    each.loss_by_feat_single
    for each in (AnchorHead, ATSSHead, GFLHead, LDHead, RepPointsHead, SABLRetinaHead, TOODHead)
)
# Once, with all levels in a row, the images of each one after the other.
_LEVELS_FIRST = tuple(
    each.loss_by_feat for each in (FCOSHead, FoveaHead, VFNetHead, CondInstBboxHead)
)
# Once, with all images in a row, the levels of each one after the other.
_IMAGES_FIRST = (PAAHead.loss_by_feat, YOLOFHead.loss_by_feat)


def has_known_rows(head: Any) -> bool:
    """Return whether it is known which priors the rows of a head's classification loss are."""
    whole = getattr(head, 'loss_by_feat', None) in (*_LEVELS_FIRST, *_IMAGES_FIRST)
    return whole or getattr(head, 'loss_by_feat_single', None) in _BY_LEVEL


def rows_of(head: Any, values: Tensor, sizes: Sequence[int], level: int) -> Tensor:
    """Return the values of priors in the order of the rows of one call of a head's loss.

    Args:
        head: Class of a head for which :func:`has_known_rows` is true.
        values: ``(B, P)``.
        sizes: How many of the P priors each level has.
        level: How many such calls there were before.

    Returns:
        ``(rows,)``.
    """
    if head.loss_by_feat in _IMAGES_FIRST:
        return values.reshape(-1)
    levels = [each.reshape(-1) for each in values.split(list(sizes), dim=1)]
    return torch.cat(levels) if head.loss_by_feat in _LEVELS_FIRST else levels[level]


def points_of(head: Any, outputs: Sequence[Tensor]) -> Tensor:
    """Return ``(P, 4)`` the points of a head's outputs, as boxes without a size."""
    sizes = [each.shape[-2:] for each in outputs]
    points = head.prior_generator.grid_priors(sizes, device=outputs[0].device)
    return torch.cat(points).repeat(1, 2)


def on_feature_map(factors: Tensor, output: Tensor) -> Tensor:
    """Lay factors of priors out as a head lays out its outputs.

    Args:
        factors: ``(B, H * W * A, 1 or K)``, A priors at each place.
        output: ``(B, A * K, H, W)``.

    Returns:
        Like ``output``.
    """
    images, channels, height, width = output.shape
    at_place = factors.shape[1] // (height * width)
    laid = factors.reshape(images, height, width, at_place, -1)
    laid = laid.expand(-1, -1, -1, -1, channels // at_place)
    return laid.reshape(images, height, width, channels).permute(0, 3, 1, 2)
