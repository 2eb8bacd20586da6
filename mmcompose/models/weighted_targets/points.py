"""The adapter of heads without an assigner: points, each with a label as its target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from mmdet.models.dense_heads import FCOSHead, VFNetHead
from mmengine.structures import InstanceData
from torch import Tensor

from mmcompose.models.weighted_targets.dense import DenseTargets
from mmcompose.models.weighted_targets.feature_maps import points_of
from mmcompose.models.weighted_targets.patches import Patches, arguments
from mmcompose.models.weighted_targets.targets import labels_given, lie_in, targets_of


class PointTargets(DenseTargets):
    """Of a head without an assigner, whose targets have a label for each point.

    Asks the head's ``_get_targets_single`` a second time with each box's number as its label.
    """

    def listen(self, patches: Patches) -> None:
        """See :meth:`DenseTargets.listen`."""
        patches.replace(self.head, '_get_targets_single', self._get_targets_single)

    def _get_targets_single(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.images is None:
            return original(*args, **kwargs)
        named = original
        if isinstance(self.head, VFNetHead):
            named = FCOSHead._get_targets_single.__get__(self.head)
        given = arguments(named, args, kwargs)
        boxes, number = given.pop('gt_instances'), len(self.images)
        _, ignored, meta = labels_given(self.given)[number]
        points = points_of(self.head, self.given['cls_scores'])
        image = targets_of(boxes, lie_in(points, ignored), meta)
        image.assigned = assigned_by_number(
            lambda numbered: original(numbered, **given)[0], boxes, self.head.num_classes
        )
        self.images.append(image)
        return original(*args, **kwargs)


def assigned_by_number(
    labels_for: Callable[[InstanceData], Any], boxes: InstanceData, num_classes: int
) -> Tensor:
    """Return ``(P,)`` which box each prior got, from 1, or 0, by its label for numbered boxes.

    Args:
        labels_for: Returns the priors' labels, as a tensor or one a level, for boxes with labels.
        boxes: The boxes.
        num_classes: The label of background.
    """
    numbers = torch.arange(1, len(boxes.bboxes) + 1, device=boxes.labels.device)
    labels = labels_for(InstanceData(bboxes=boxes.bboxes, labels=numbers + num_classes))
    flat = labels if isinstance(labels, Tensor) else torch.cat([each.flatten() for each in labels])
    return (flat - num_classes).clamp(min=0)
