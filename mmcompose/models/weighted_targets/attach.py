"""Attach weighted targets to a built model: its class, config and checkpoint stay as they are."""

from __future__ import annotations

from typing import Any

from mmdet.models.dense_heads import VFNetHead
from mmdet.models.roi_heads import BaseRoIHead
from torch import nn

from mmcompose.models.weighted_targets.patches import Patches
from mmcompose.models.weighted_targets.points import PointTargets
from mmcompose.models.weighted_targets.roi import RoITargets, each_of
from mmcompose.models.weighted_targets.supported_heads import adapter_of, not_reached
from mmcompose.models.weighted_targets.targets import Settings


class Attachment:
    """What was attached to a model.

    Args:
        model: Any detector.
        settings: How uncertain labels are learned from.
    """

    def __init__(self, model: nn.Module, settings: Settings) -> None:
        self._patches = Patches()
        self.unreached: list[str] = []
        self.not_soft: list[str] = []
        stages = [name for name, each in model.named_modules() if isinstance(each, BaseRoIHead)]
        for name, module in model.named_modules():
            inside = any(name.startswith(f'{stage}.') for stage in stages)
            if inside or not (name in stages or hasattr(module, 'loss_by_feat')):
                continue
            box_heads = each_of(getattr(module, 'bbox_head', []))
            reason = not_reached(type(module), [type(each) for each in box_heads])
            class_agnostic = name.rpartition('.')[2] == 'rpn_head'
            if reason is not None:
                self.unreached.append(f'model.{name}: {reason}')
                if not class_agnostic:
                    self._note(name, box_heads[0] if name in stages else module, False, settings)
            elif name in stages:
                targets = RoITargets(module, settings)
                targets.attach(self._patches)
                self._note(name, box_heads[0], targets.takes_soft_targets, settings)
            else:
                adapter = _adapter(module)(module, settings, class_agnostic)
                adapter.attach(self._patches)
                if not class_agnostic:
                    self._note(name, module, adapter.takes_soft_targets, settings)

    def _note(self, name: str, head: nn.Module, soft: bool, settings: Settings) -> None:
        if settings.soft_targets and not soft:
            kind = type(head).__name__
            self.not_soft.append(f'model.{name}: {kind} takes no soft class targets')

    def remove(self) -> None:
        """Leave the model as it was."""
        self._patches.undo()


def _adapter(head: nn.Module) -> Any:
    if isinstance(head, VFNetHead) and not head.use_atss:
        return PointTargets
    return adapter_of(type(head))


def attach(model: nn.Module, settings: Settings | None = None) -> Attachment:
    """Let weights, ignore boxes and class masks of labels reach a detector's losses.

    What the boxes of a training sample carry is read from ``gt_instances.weights`` and
    ``.scores``, ``ignored_instances.bboxes`` and the metainfo's ``covered_classes``; a batch
    that has none of them goes through untouched.

    Args:
        model: Any detector, built.
        settings: How uncertain labels are learned from.

    Returns:
        What was attached, and the heads that were not reached.
    """
    return Attachment(model, settings or Settings())
