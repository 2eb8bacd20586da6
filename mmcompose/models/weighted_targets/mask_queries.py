"""The adapter of MaskFormer and Mask2Former: queries that are matched to masks one to one."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.dense_heads import Mask2FormerHead, MaskFormerHead
from torch import Tensor

from mmcompose.models.weighted_targets.queries import QueryTargets
from mmcompose.models.weighted_targets.targets import ImageTargets, lie_in, targets_of


class MaskQueryTargets(QueryTargets):
    """Weighs the loss of each layer; a query without a mask lies where the middle of its own is.

    See :class:`Adapter` for the arguments.
    """

    layer_loss = '_loss_by_feat_single'

    @staticmethod
    def serves(cls: Any) -> bool:
        """Return whether it supports the loss of a class of heads."""
        losses = (MaskFormerHead._loss_by_feat_single, Mask2FormerHead._loss_by_feat_single)
        return getattr(cls, '_loss_by_feat_single', None) in losses

    def _image(self, given: dict[str, Any], sample: Any) -> ImageTargets:
        """See :meth:`QueryTargets._image`."""
        meta = given['img_meta']
        points = _middles(given['mask_pred'].detach().sigmoid())
        height, width = meta['batch_input_shape']
        points = torch.stack([points[:, 0] * width, points[:, 1] * height], dim=1)
        ignored = lie_in(points.repeat(1, 2), sample.get('ignored_instances'))
        # Those given to the head are its own, without weights, in the same order.
        return targets_of(sample.gt_instances, ignored, meta)


def _middles(masks: Tensor) -> Tensor:
    """Return ``(Q, 2)`` x and y in [0, 1]: the mean place of masks ``(Q, H, W)``."""
    places = []
    for axis in (2, 1):
        size = masks.shape[axis]
        along = masks.sum(dim=3 - axis)
        steps = (torch.arange(size, dtype=masks.dtype, device=masks.device) + 0.5) / size
        places.append((along * steps).sum(dim=1) / along.sum(dim=1))
    return torch.stack(places, dim=1)
