"""Soft class targets: a box of score s is learned as its class with s, as background with 1 - s."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from mmdet.models.dense_heads import AnchorHead, ATSSHead
from mmdet.models.losses import CrossEntropyLoss, FocalLoss
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.task_modules.assigners import DynamicSoftLabelAssigner, SimOTAAssigner
from torch import Tensor, nn

# Their heads' class target at a prior is its `max_overlaps`, which is then multiplied by s.
QUALITY_ASSIGNERS = (SimOTAAssigner, DynamicSoftLabelAssigner)
# Heads that call their classification loss once a level, or once, with a row for each prior.
_ROW_FOR_EACH_PRIOR = (AnchorHead.loss_by_feat_single, ATSSHead.loss_by_feat_single)


def assigners_of(head: nn.Module) -> list[Any]:
    """Return the assigners that a head holds, each once."""
    found = {id(each): each for each in vars(head).values() if hasattr(each, 'assign')}
    return list(found.values())


def mixes(head: nn.Module) -> bool:
    """Return whether a head's classification loss is one that can be mixed; see below."""
    loss = getattr(head, 'loss_cls', None)
    one_hot = isinstance(loss, (FocalLoss, CrossEntropyLoss)) and loss.reduction == 'mean'
    by_prior = getattr(type(head), 'loss_by_feat_single', None) in _ROW_FOR_EACH_PRIOR
    in_roi = isinstance(head, BBoxHead) and type(head).loss is BBoxHead.loss
    return one_hot and (by_prior or in_roi)


def takes_soft_targets(head: nn.Module) -> bool:
    """Return whether a head can learn from soft class targets, one way or the other."""
    assigners = assigners_of(head)
    by_quality = all(isinstance(each, QUALITY_ASSIGNERS) for each in assigners)
    return (bool(assigners) and by_quality) or mixes(head)


class MixesBackground:
    """Adds ``(1 - s) * (L(background) - L(class))`` to a classification loss of hard targets.

    Which makes it ``s * L(class) + (1 - s) * L(background)``: for a softmax the cross-entropy
    with the soft target, for sigmoid outputs that of the assigned class alone. Both are computed
    by the head's own loss, with its own weights and normaliser.
    """

    head: nn.Module

    @abstractmethod
    def soft_scores(self) -> Tensor | None:
        """Return ``(M,)`` the scores of the rows of this call of the loss; None to leave it."""

    def _soften(
        self, loss: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor
    ) -> Tensor | None:
        scores = self.soft_scores()
        if scores is None:
            return None
        prediction, labels, weight = args
        num_classes = self.head.num_classes
        rows = (scores < 1) & (labels >= 0) & (labels < num_classes)
        if not rows.any():
            return None
        doubt = weight[rows] * (1 - scores[rows]).to(weight)
        background = torch.full_like(labels[rows], num_classes)
        negative = loss.forward(prediction[rows], background, doubt, **kwargs)
        positive = loss.forward(prediction[rows], labels[rows], doubt, **kwargs)
        mixed: Tensor = output + negative - positive
        return mixed
