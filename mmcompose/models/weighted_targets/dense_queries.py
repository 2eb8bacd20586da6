"""The adapter of DDQ's auxiliary loss: dense queries, each box assigned to several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmcompose.models.weighted_targets.patches import Patches, arguments
from mmcompose.models.weighted_targets.soft_targets import SoftTargets
from mmcompose.models.weighted_targets.targets import (
    ImageTargets,
    Settings,
    lie_in,
    of_boxes,
    scale_gradient,
    targets_of,
)


class DenseQueryTargets(SoftTargets):
    """Weighs the loss of a layer's dense queries.

    Args:
        head: The ``aux_loss_for_dense`` of DDQ's head.
        settings: How uncertain labels are learned from.
    """

    def __init__(self, head: nn.Module, settings: Settings) -> None:
        super().__init__(head, settings)
        # Those of the loss that is under way, where its labels are uncertain.
        self.samples: Sequence[Any] | None = None
        self.images: list[ImageTargets] = []
        self.current: ImageTargets | None = None
        self.calls = 0

    def attach(self, patches: Patches) -> None:
        """See :meth:`Adapter.attach`."""
        patches.replace(self.head, 'loss', self._loss)
        patches.replace(self.head, '_get_target_single', self._get_target_single)
        patches.replace(self.head.assigner, 'assign', self._assign)
        if self.settings.soft_targets:
            self.soften(self.head.loss_cls, patches)

    def _loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.samples is None:
            return original(*args, **kwargs)
        self.images, self.calls = [], 0
        losses = original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        num_classes = given['cls_scores'].shape[-1]
        of_classes = [image.class_factors(num_classes) for image in self.images]
        scale_gradient(given['cls_scores'], torch.stack(of_classes))
        priors = [image.prior_factors()[:, None] for image in self.images]
        scale_gradient(given['bbox_preds'], torch.stack(priors))
        return losses

    def _get_target_single(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.samples is None:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        sample = self.samples[len(self.images)]
        boxes = given['bbox_preds'].detach()
        ignored = lie_in(boxes, sample.get('ignored_instances'))
        self.current = targets_of(sample.gt_instances, ignored, sample.metainfo)
        try:
            result = original(*args, **kwargs)
            self.images.append(self.current)
        finally:
            self.current = None
        return result

    def _assign(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if self.current is not None:
            self.current.assigned = result.gt_inds.clone()
        return result

    def soft_scores(self) -> Tensor | None:
        """See :class:`SoftTargets`: of the next image's queries."""
        if self.samples is None:
            return None
        self.calls += 1
        image = self.images[self.calls - 1]
        return of_boxes(image.assigned, image.scores)
