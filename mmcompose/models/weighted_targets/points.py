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
from mmcompose.models.weighted_targets.targets import (
    labels_given,
    lie_in,
    of_boxes,
    targets_of,
)


class PointTargets(DenseTargets):
    """Of a head without an assigner, whose targets have a label for each point.

    Gives the head's ``_get_targets_single`` each box's number as its label.
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
        result, image.assigned = self._assigned(lambda some: original(some, **given), boxes)
        self.images.append(image)
        return result

    def _assigned(
        self, targets_for: Callable[[InstanceData], tuple[Any, ...]], boxes: InstanceData
    ) -> tuple[tuple[Any, ...], Tensor]:
        """Return the head's targets for boxes, and ``(P,)`` as :class:`ImageTargets`.assigned."""
        return targets_by_number(targets_for, boxes, self.head.num_classes)


class PositivePointTargets(PointTargets):
    """Of CondInst, whose targets name the points that got a box, and the box of each.

    Its box centers are those of masks, which numbered boxes lack.
    """

    def _assigned(
        self, targets_for: Callable[[InstanceData], tuple[Any, ...]], boxes: InstanceData
    ) -> tuple[tuple[Any, ...], Tensor]:
        """See :meth:`PointTargets._assigned`."""
        result = targets_for(boxes)
        labels, _, places, numbers = result
        return result, torch.zeros_like(labels).index_copy(0, places, numbers + 1)


def targets_by_number(
    targets_for: Callable[[InstanceData], tuple[Any, ...]], boxes: InstanceData, num_classes: int
) -> tuple[tuple[Any, ...], Tensor]:
    """Return a head's targets, and ``(P,)`` which box each prior got, from 1, or 0.

    Args:
        targets_for: Returns the targets for boxes with labels, first the priors' labels: a tensor,
            or one a level. It is given numbers beyond all classes in the place of labels.
        boxes: The boxes.
        num_classes: The label of background.
    """
    numbers = torch.arange(1, len(boxes.bboxes) + 1, device=boxes.labels.device)
    numbered = InstanceData(bboxes=boxes.bboxes, labels=numbers + num_classes)
    found, *others = targets_for(numbered)
    levels = [found] if isinstance(found, Tensor) else found
    by_level = [(each - num_classes).clamp(min=0) for each in levels]
    labels = [of_boxes(each, boxes.labels, without=num_classes) for each in by_level]
    assigned = torch.cat([each.flatten() for each in by_level])
    return (labels[0] if isinstance(found, Tensor) else labels, *others), assigned
