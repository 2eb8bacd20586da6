"""The adapter of second stages: proposals that are assigned, sampled, and classified by a RoI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmcompose.models.weighted_targets.adapter import Adapter
from mmcompose.models.weighted_targets.patches import Patches, arguments, call_without
from mmcompose.models.weighted_targets.soft_targets import SoftTargets, mixes
from mmcompose.models.weighted_targets.targets import (
    Settings,
    are_uncertain,
    box_values,
    labels_of,
    lie_in,
    scale_gradient,
)


class RoITargets(Adapter):
    """Weighs the losses of a second stage, or of each stage of a cascade.

    Proposals in ignore boxes are never sampled; the gradients of the box head's outputs, and of
    the mask head's, are scaled by RoI. See :class:`Adapter` for the arguments.
    """

    def __init__(self, head: nn.Module, settings: Settings, class_agnostic: bool = False) -> None:
        super().__init__(head, settings, class_agnostic)
        # What each image's labels cover, by the identity of its boxes; None outside a loss.
        self.covered: dict[int, Sequence[int] | None] | None = None

    @property
    def takes_soft_targets(self) -> bool:
        """Whether each stage's box head can learn from soft class targets."""
        return all(mixes(head.loss_cls) for head in each_of(self.head.bbox_head))

    def attach(self, patches: Patches) -> None:
        """See :meth:`Adapter.attach`."""
        patches.replace(self.head, 'loss', self._loss)
        for assigner in each_of(self.head.bbox_assigner):
            patches.replace(assigner, 'assign', self._assign)
        for sampler in each_of(self.head.bbox_sampler):
            patches.replace(sampler, 'sample', self._sample)
        for head in each_of(self.head.bbox_head):
            BoxHeadTargets(head, self).attach(patches)
        if getattr(self.head, 'with_mask', False):
            for head in each_of(self.head.mask_head):
                patches.replace(head, 'loss_and_target', self._mask_loss)

    def _loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        samples = arguments(original, args, kwargs)['batch_data_samples']
        labels = labels_of(samples)
        if not are_uncertain(labels, self.settings):
            return original(*args, **kwargs)
        self.covered = {id(boxes): meta.get('covered_classes') for boxes, _, meta in labels}
        try:
            return original(*args, **kwargs)
        finally:
            self.covered = None

    def _assign(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.covered is None:
            return original(*args, **kwargs)
        # See AssignedTargets._assign.
        result = call_without('gt_instances_ignore', original, args, kwargs)
        given = arguments(original, args, kwargs)
        inside = lie_in(given['pred_instances'].priors, given.get('gt_instances_ignore'))
        result.gt_inds.masked_fill_((result.gt_inds == 0) & inside, -1)
        return result

    def _sample(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if self.covered is not None:
            boxes = arguments(original, args, kwargs)['gt_instances']
            owner = result.pos_assigned_gt_inds
            result.pos_weights = box_values(boxes, 'weights')[owner]
            result.pos_scores = box_values(boxes, 'scores')[owner]
            partly = self.covered.get(id(boxes)) is not None
            result.neg_weight = self.settings.uncovered_objectness if partly else 1.0
        return result

    def _mask_loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.covered is not None:
            given = arguments(original, args, kwargs)
            factors = torch.cat([result.pos_weights for result in given['sampling_results']])
            predictions = given['mask_preds']
            if len(predictions) == len(factors):
                scale_gradient(predictions, factors.view(-1, *[1] * (predictions.dim() - 1)))
        return original(*args, **kwargs)


class BoxHeadTargets(SoftTargets):
    """Weighs the loss of one box head.

    Args:
        head: It.
        stage: Knows whether a loss with uncertain labels is under way.
    """

    def __init__(self, head: nn.Module, stage: RoITargets) -> None:
        super().__init__(head, stage.settings)
        self.stage = stage
        self.scores: Tensor | None = None

    def attach(self, patches: Patches) -> None:
        """See :meth:`Adapter.attach`."""
        patches.replace(self.head, 'loss_and_target', self._loss_and_target)
        if self.settings.soft_targets:
            self.soften(self.head.loss_cls, patches)

    def _loss_and_target(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.stage.covered is None:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        results = given['sampling_results']
        factors = torch.cat(
            [part for each in results for part in _with_negatives(each, 'pos_weights')]
        )
        for name in ('cls_score', 'bbox_pred'):
            if given.get(name) is not None:
                # SABL's boxes are buckets and offsets.
                parts = given[name] if isinstance(given[name], tuple) else [given[name]]
                for part in parts:
                    scale_gradient(part, factors.view(-1, *[1] * (part.dim() - 1)))
        self.scores = torch.cat(
            [part for each in results for part in _with_negatives(each, 'pos_scores')]
        )
        try:
            return original(*args, **kwargs)
        finally:
            self.scores = None

    def soft_scores(self) -> Tensor | None:
        """See :class:`SoftTargets`."""
        return self.scores


def _with_negatives(result: Any, name: str) -> tuple[Tensor, Tensor]:
    """Return the values of an image's RoIs: those with a box first, as MMDet orders them."""
    positive = getattr(result, name)
    value = result.neg_weight if name == 'pos_weights' else 1.0
    return positive, positive.new_full((len(result.neg_inds),), value)


def each_of(value: Any) -> Sequence[Any]:
    """Return what a RoI head has one of, or one a stage."""
    return list(value) if isinstance(value, (list, tuple, nn.ModuleList)) else [value]
