"""The adapter of second stages: proposals that are assigned, sampled, and classified by a RoI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from mmdet.models.roi_heads import SparseRoIHead
from torch import Tensor, nn

from mmcompose.models.weighted_targets.adapter import Adapter
from mmcompose.models.weighted_targets.patches import Patches, arguments, call_without
from mmcompose.models.weighted_targets.soft_targets import SoftTargets, mixes
from mmcompose.models.weighted_targets.targets import (
    ImageTargets,
    Labels,
    Settings,
    are_uncertain,
    box_values,
    labels_of,
    lie_in,
    of_boxes,
    scale_gradient,
    targets_of,
)

# Parts of a second stage that learn of RoIs with a box alone: the method that computes the loss,
# and its argument with a row for each of them.
_OF_POSITIVES = {
    'mask_head': ('loss_and_target', 'mask_preds'),
    'mask_iou_head': ('loss_and_target', 'mask_iou_pred'),
    'point_head': ('loss_and_target', 'point_pred'),
    'grid_head': ('loss', 'grid_pred'),
}


class RoITargets(Adapter):
    """Weighs the losses of a second stage, or of each stage of a cascade.

    Proposals in ignore boxes are never sampled, or count nothing where each has its row; the
    gradients of the box head's outputs, and of those of masks, points and grids, are scaled by
    RoI. See :class:`Adapter` for the arguments.
    """

    def __init__(self, head: nn.Module, settings: Settings, class_agnostic: bool = False) -> None:
        super().__init__(head, settings, class_agnostic)
        # Each image's labels, by the identity of its boxes; None outside a loss.
        self.labels: dict[int, Labels] | None = None
        # Each of its RoIs is in the loss, in its own row.
        self.by_query = isinstance(head, SparseRoIHead)

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
        for part, (method, output) in _OF_POSITIVES.items():
            for head in each_of(getattr(self.head, part, None) or []):
                patches.replace(head, method, partial(self._loss_of_positives, output))

    def _loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        samples = arguments(original, args, kwargs)['batch_data_samples']
        labels = labels_of(samples)
        if not are_uncertain(labels, self.settings):
            return original(*args, **kwargs)
        self.labels = {id(of_image[0]): of_image for of_image in labels}
        try:
            return original(*args, **kwargs)
        finally:
            self.labels = None

    def _assign(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.labels is None:
            return original(*args, **kwargs)
        # See AssignedTargets._assign.
        result = call_without('gt_instances_ignore', original, args, kwargs)
        given = arguments(original, args, kwargs)
        _, ignored, _ = self.labels[id(given['gt_instances'])]
        inside = lie_in(given['pred_instances'].priors, ignored)
        result.left_out = (result.gt_inds == 0) & inside
        if not self.by_query:
            result.gt_inds.masked_fill_(result.left_out, -1)
        return result

    def _sample(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if self.labels is not None:
            given = arguments(original, args, kwargs)
            boxes, _, meta = self.labels[id(given['gt_instances'])]
            positive = result.pos_assigned_gt_inds + 1
            result.pos_weights = of_boxes(positive, box_values(boxes, 'weights'))
            # RoIs with a box come first, as MMDet orders them.
            assigned = torch.cat([positive, positive.new_zeros(len(result.neg_inds))])
            left_out = torch.zeros_like(assigned, dtype=torch.bool)
            if self.by_query:
                assigned, left_out = torch.zeros_like(assigned), given['assign_result'].left_out
                assigned[result.pos_inds] = positive
            result.image = targets_of(boxes, left_out, meta)
            result.image.assigned = assigned
        return result

    def _loss_of_positives(
        self, output: str, original: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        if self.labels is None:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        factors = torch.cat([result.pos_weights for result in given['sampling_results']])
        if 'sample_idx' in given:
            # Grid R-CNN takes some of them.
            factors = factors[given['sample_idx']]
        given[output] = _scaled_rows(given[output], factors)
        return original(**given)


class BoxHeadTargets(SoftTargets):
    """Weighs the loss of one box head.

    Args:
        head: It.
        stage: Knows whether a loss with uncertain labels is under way.
    """

    def __init__(self, head: nn.Module, stage: RoITargets) -> None:
        super().__init__(head, stage.settings)
        self.stage = stage
        self.images: list[ImageTargets] | None = None

    def attach(self, patches: Patches) -> None:
        """See :meth:`Adapter.attach`."""
        patches.replace(self.head, 'loss_and_target', self._loss_and_target)
        if self.settings.soft_targets:
            self.soften(self.head.loss_cls, patches)

    def _loss_and_target(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.stage.labels is None:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        self.images = [result.image for result in given['sampling_results']]
        columns = given['cls_score'].shape[-1]
        factors = {
            'cls_score': torch.cat([self._class_factors(image, columns) for image in self.images]),
            'bbox_pred': torch.cat([image.prior_factors() for image in self.images]),
        }
        for name, of_rows in factors.items():
            if given.get(name) is not None:
                given[name] = _scaled_rows(given[name], of_rows)
        try:
            return original(**given)
        finally:
            self.images = None

    def _class_factors(self, image: ImageTargets, columns: int) -> Tensor:
        """Return ``(N,)`` or ``(N, C)`` the factors of the RoIs' scores.

        MMDet's box heads have a column for background, with a sigmoid loss, too.
        """
        if columns == self.head.num_classes:
            return image.class_factors(columns)
        return image.shared_factors(self.settings)

    def soft_scores(self) -> Tensor | None:
        """See :class:`SoftTargets`."""
        if self.images is None:
            return None
        return torch.cat([of_boxes(image.assigned, image.scores) for image in self.images])


def _scaled_rows(output: Any, factors: Tensor) -> Any:
    """Return an output whose gradient is scaled by row, and so is that of each of its parts.

    Args:
        output: ``(N, ...)``; of SABL's buckets and offsets or the grid's maps, several.
        factors: ``(N,)``, or ``(N, C)`` of an output of that shape.
    """
    if isinstance(output, dict):
        return {name: _scaled_rows(part, factors) for name, part in output.items()}
    if isinstance(output, (list, tuple)):
        return type(output)(_scaled_rows(part, factors) for part in output)
    # A view, since other parts of a stage learn through the mask's output.
    view = output.view_as(output)
    scale_gradient(view, factors.view(*factors.shape, *[1] * (view.dim() - factors.dim())))
    return view


def each_of(value: Any) -> Sequence[Any]:
    """Return what a RoI head has one of, or one a stage."""
    return list(value) if isinstance(value, (list, tuple, nn.ModuleList)) else [value]
