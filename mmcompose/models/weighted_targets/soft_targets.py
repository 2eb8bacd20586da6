"""Soft class targets: a box of score s is learned as its class with s, as background with 1 - s."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from mmdet.models.losses import CrossEntropyLoss, FocalLoss, QualityFocalLoss, VarifocalLoss
from mmdet.models.task_modules.assigners import DynamicSoftLabelAssigner, SimOTAAssigner
from torch import Tensor, nn

from mmcompose.models.weighted_targets.adapter import Adapter
from mmcompose.models.weighted_targets.patches import Patches

# Their heads' class target at a prior is its `max_overlaps`, which is then multiplied by s.
QUALITY_ASSIGNERS = (SimOTAAssigner, DynamicSoftLabelAssigner)


def assigners_of(head: nn.Module) -> list[Any]:
    """Return the assigners that a head holds, each once."""
    found = {id(each): each for each in vars(head).values() if hasattr(each, 'assign')}
    return list(found.values())


def assigns_by_quality(head: nn.Module) -> bool:
    """Return whether a head's class targets are the qualities that its assigner gives."""
    assigners = assigners_of(head)
    return bool(assigners) and all(isinstance(each, QUALITY_ASSIGNERS) for each in assigners)


def mixes(loss: Any) -> bool:
    """Return whether a classification loss learns hard labels and can be mixed of two of them."""
    return isinstance(loss, (FocalLoss, CrossEntropyLoss)) and loss.reduction in ('mean', 'none')


def lowers(loss: Any) -> bool:
    """Return whether a classification loss learns qualities, which a score can lower."""
    return isinstance(loss, (QualityFocalLoss, VarifocalLoss)) and loss.reduction == 'mean'


class SoftTargets(Adapter):
    """Lets a classification loss learn soft targets, computed by the head's own loss.

    A loss of hard labels gets ``(1 - s) * (L(background) - L(class))`` added, which makes it
    ``s * L(class) + (1 - s) * L(background)``: for a softmax the cross-entropy with the soft
    target, for sigmoid outputs that of the assigned class alone. A loss of qualities gets the
    quality multiplied by s.
    """

    @abstractmethod
    def soft_scores(self) -> Tensor | None:
        """Return ``(M,)`` the scores of the rows of this call of the loss; None to leave it."""

    def soften(self, loss: Any, patches: Patches) -> None:
        """Listen to a loss for which :func:`mixes` or :func:`lowers` is true."""
        if mixes(loss):
            patches.add(loss.register_forward_hook(self._mix, with_kwargs=True).remove)
        elif lowers(loss):
            patches.add(loss.register_forward_pre_hook(self._lower).remove)

    def _mix(
        self, loss: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor
    ) -> Tensor | None:
        # PAA computes each prior's loss to choose positives, which teaches nothing.
        chooses = kwargs.get('reduction_override') is not None
        scores = None if chooses else self.soft_scores()
        if scores is None:
            return None
        prediction, labels, *rest = args
        num_classes = self.head.num_classes
        doubtful = (scores < 1) & (labels >= 0) & (labels < num_classes)
        # The one wait for a device: all rows would take the memory of two more losses.
        rows = doubtful.nonzero().squeeze(1)
        if not len(rows):
            return None
        doubt = (1 - scores[rows]).to(prediction)
        weight = rest[0] if rest else kwargs.get('weight')
        if weight is not None:
            # One a row, or one for each of its classes.
            of_rows = weight.reshape(len(labels), -1)[rows]
            doubt = (doubt[:, None] * of_rows).reshape(-1)
        background = torch.full_like(labels[rows], num_classes)
        given = {**kwargs, 'weight': doubt}
        negative = loss.forward(prediction[rows], background, **given)
        positive = loss.forward(prediction[rows], labels[rows], **given)
        change: Tensor = negative - positive
        if loss.reduction == 'none':
            # By the values of an unreduced loss FSAF chooses levels, too.
            change = torch.zeros_like(output).index_add(0, rows, change)
            change = change - change.detach()
        mixed: Tensor = output + change
        return mixed

    def _lower(self, loss: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        scores = self.soft_scores()
        if scores is None:
            return None
        prediction, target, *rest = args
        if isinstance(target, tuple):
            labels, quality = target
            return prediction, (labels, quality * scores.to(quality)), *rest
        return prediction, target * scores[:, None].to(target), *rest
