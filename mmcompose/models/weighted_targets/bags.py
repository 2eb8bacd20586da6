"""The adapters of heads whose loss is of bags: FreeAnchor, AutoAssign.

Their loss of a box is one of many priors together, so its gradient is scaled box by box; the
rest of the loss is that of each prior and class by itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import AutoAssignHead, FreeAnchorRetinaHead
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor, nn

from mmcompose.models.weighted_targets.adapter import Adapter
from mmcompose.models.weighted_targets.feature_maps import points_of
from mmcompose.models.weighted_targets.patches import Patches, arguments
from mmcompose.models.weighted_targets.targets import (
    Settings,
    are_uncertain,
    box_values,
    by_class,
    class_factors_of_regions,
    labels_given,
    lie_in,
    scale_gradient,
)


class BagTargets(Adapter):
    """What the two have in common; see :class:`Adapter` for the arguments."""

    def __init__(self, head: nn.Module, settings: Settings, class_agnostic: bool = False) -> None:
        super().__init__(head, settings, class_agnostic)
        # Of the loss that is under way: its arguments, where its labels are uncertain; and, for
        # each image, the factors of the priors' background, and the scores of the boxes to which
        # priors belong, by class.
        self.given: dict[str, Any] = {}
        self.images: list[Tensor] = []
        self.scores: list[Tensor] = []

    @property
    def takes_soft_targets(self) -> bool:
        """Whether the head can learn from soft class targets."""
        return True

    def attach(self, patches: Patches) -> None:
        """See :meth:`Adapter.attach`."""
        patches.replace(self.head, 'loss_by_feat', self._loss_by_feat)
        self.listen(patches)

    @abstractmethod
    def listen(self, patches: Patches) -> None:
        """Replace what computes the loss of bags and of background."""

    def _loss_by_feat(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given = arguments(original, args, kwargs)
        if not are_uncertain(labels_given(given), self.settings):
            return original(*args, **kwargs)
        self.given, self.images, self.scores = given, [], []
        try:
            return original(*args, **kwargs)
        finally:
            self.given, self.images, self.scores = {}, [], []

    def _add_image(self, boxes: Any, regions: Tensor, priors: Tensor) -> None:
        """Keep what the next image's priors count, whose boxes have regions ``(G, P)``."""
        _, ignored, meta = labels_given(self.given)[len(self.images)]
        factors = class_factors_of_regions(
            regions,
            boxes,
            lie_in(priors, ignored),
            meta.get('covered_classes'),
            self.head.num_classes,
        )
        scores = torch.ones_like(factors)
        if self.settings.soft_targets:
            scores = by_class(scores, regions, boxes.labels, box_values(boxes, 'scores'))
        self.images.append(factors)
        self.scores.append(scores)

    def _worth(self, boxes: Any) -> Tensor:
        """Return ``(G,)``: how much the loss of each box's bag counts."""
        weights = box_values(boxes, 'weights')
        return weights * box_values(boxes, 'scores') if self.settings.soft_targets else weights

    def _mixed(
        self,
        loss: Callable[..., Tensor],
        background: Callable[..., Tensor],
        predictions: Sequence[Tensor],
        scores: Tensor,
    ) -> Tensor:
        """Return a loss whose gradient is, as far as scores are below 1, that of background.

        Args:
            loss: Of predictions, a term for each of their values.
            background: The same as if there were no boxes.
            predictions: Which both take.
            scores: Of the predictions' shape, in [0, 1].
        """
        own = loss(*predictions)
        if not self.settings.soft_targets:
            return own
        doubtful = [scaled(each, 1 - scores) for each in predictions]
        change = background(*doubtful) - loss(*doubtful)
        # Scaled gradients leave the value of the change as it is.
        return own + (change - change.detach())


def scaled(tensor: Tensor, factors: Tensor) -> Tensor:
    """Return a tensor of the same values whose gradient is scaled by its own."""
    own = tensor.clone()
    scale_gradient(own, factors)
    return own


class FreeAnchorTargets(BagTargets):
    """Of FreeAnchor: a bag of anchors for each box, and the background of each anchor."""

    @staticmethod
    def serves(cls: Any) -> bool:
        """Return whether it supports the loss of a class of heads."""
        return getattr(cls, 'loss_by_feat', None) is FreeAnchorRetinaHead.loss_by_feat

    def listen(self, patches: Patches) -> None:
        """See :meth:`BagTargets.listen`."""
        patches.replace(self.head, 'positive_loss_single', self._positive_loss)
        patches.replace(self.head, 'negative_bag_loss', self._negative_loss)

    def _positive_loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if not self.given:
            return result
        given = arguments(original, args, kwargs)
        boxes, anchors = given.pop('gt_instances'), given['flat_anchors']
        scale_gradient(result[1], self._worth(boxes))
        regions = torch.zeros(len(boxes.bboxes), len(anchors), device=anchors.device)
        for number in range(len(regions)):
            with torch.no_grad():
                of_one = original(gt_instances=boxes[number : number + 1], **given)[0]
            regions[number] = of_one.max(dim=1).values
            overlaps = bbox_overlaps(boxes.bboxes[number : number + 1], anchors)[0]
            bag = overlaps.topk(self.head.pre_anchor_topk).indices
            regions[number, bag] += overlaps[bag] + 1
        self._add_image(boxes, regions, anchors)
        return result

    def _negative_loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self.given:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        # The probability that an anchor matches a box.
        matched = given['box_prob']
        return self._mixed(
            lambda probability: original(probability, matched),
            lambda probability: original(probability, torch.zeros_like(matched)),
            [scaled(given['cls_prob'], torch.stack(self.images))],
            torch.stack(self.scores),
        )


class AutoAssignTargets(BagTargets):
    """Of AutoAssign: all points in a box are its bag, weighted by a learned prior."""

    @staticmethod
    def serves(cls: Any) -> bool:
        """Return whether it supports the loss of a class of heads."""
        return getattr(cls, 'loss_by_feat', None) is AutoAssignHead.loss_by_feat

    def listen(self, patches: Patches) -> None:
        """See :meth:`BagTargets.listen`."""
        patches.replace(self.head, 'get_pos_loss_single', self._positive_loss)
        patches.replace(self.head, 'get_neg_loss_single', self._negative_loss)
        patches.replace(self.head.center_prior, 'forward', self._center_prior)

    def _center_prior(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if self.given:
            boxes = arguments(original, args, kwargs)['gt_instances']
            scale_gradient(result[0], self._worth(boxes))
        return result

    def _positive_loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given = arguments(original, args, kwargs)
        boxes = given['gt_instances']
        weights = self._worth(boxes)
        if not self.given or bool((weights == 1).all()):
            return original(*args, **kwargs)
        loss = 0.0
        for number, weight in enumerate(weights):
            of_one = slice(number, number + 1)
            loss = (
                loss
                + original(
                    # The center prior's own gradient is scaled where it comes from.
                    scaled(given['cls_score'], weight),
                    scaled(given['objectness'], weight),
                    scaled(given['reg_loss'][:, of_one], weight),
                    boxes[of_one],
                    given['center_prior_weights'][:, of_one],
                )[0]
            )
        return (loss,)

    def _negative_loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self.given:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        boxes, inside = given['gt_instances'], given['inside_gt_bbox_mask']
        points = points_of(self.head, self.given['cls_scores'])
        self._add_image(boxes, inside.T.to(torch.float32), points)
        factors = self.images[-1]
        scores = given['cls_score']
        # Of all classes: the objectness of a place has one gradient from each.
        objectness = given['objectness'].expand_as(scores)
        loss = self._mixed(
            lambda *predictions: original(*predictions, boxes, given['ious'], inside)[0],
            lambda *predictions: original(
                *predictions, boxes[:0], given['ious'][:, :0], inside[:, :0]
            )[0],
            [scaled(scores, factors), scaled(objectness, factors)],
            self.scores[-1],
        )
        return (loss,)
