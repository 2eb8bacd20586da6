"""The adapter of DETR and its kin: queries that are matched to boxes one to one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import DETRHead, GroundingDINOHead
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from torch import Tensor, nn

from mmcompose.models.weighted_targets.dense_queries import DenseQueryTargets
from mmcompose.models.weighted_targets.patches import Patches, arguments
from mmcompose.models.weighted_targets.points import targets_by_number
from mmcompose.models.weighted_targets.soft_targets import SoftTargets, lowers, mixes
from mmcompose.models.weighted_targets.targets import (
    ImageTargets,
    Settings,
    are_uncertain,
    labels_of,
    lie_in,
    of_boxes,
    scale_gradient,
    targets_of,
)


class QueryTargets(SoftTargets):
    """Weighs the losses of a head of queries: of each decoder layer, encoder and denoising part.

    A query without a box teaches nothing where it predicts a box in an ignore box. The gradients
    of each layer's outputs are scaled by query. See :class:`Adapter` for the arguments.
    """

    # The method of a head that computes the loss of one layer.
    layer_loss = 'loss_by_feat_single'

    def __init__(self, head: nn.Module, settings: Settings, class_agnostic: bool = False) -> None:
        super().__init__(head, settings, class_agnostic)
        self.samples: Sequence[Any] | None = None
        # Of the layer whose loss is under way.
        self.images: list[ImageTargets] = []
        self.current: ImageTargets | None = None
        self.by_image = False
        self.dense: DenseQueryTargets | None = None

    @staticmethod
    def serves(cls: Any) -> bool:
        """Return whether it supports the loss of a class of heads."""
        single = getattr(cls, 'loss_by_feat_single', None)
        return single is DETRHead.loss_by_feat_single and not issubclass(cls, GroundingDINOHead)

    @property
    def takes_soft_targets(self) -> bool:
        """Whether the head can learn from soft class targets."""
        return mixes(self.head.loss_cls) or lowers(self.head.loss_cls)

    def attach(self, patches: Patches) -> None:
        """See :meth:`Adapter.attach`."""
        patches.replace(self.head, 'loss', self._loss)
        patches.replace(self.head, self.layer_loss, self._layer_loss)
        patches.replace(self.head, '_get_targets_single', self._get_targets_single)
        patches.replace(self.head.assigner, 'assign', self._assign)
        if hasattr(self.head, '_loss_dn_single'):
            patches.replace(self.head, '_loss_dn_single', self._layer_loss)
            patches.replace(self.head, '_get_dn_targets_single', self._get_dn_targets_single)
        if hasattr(self.head, '_loss_for_distinct_queries_single'):
            # DDQ takes some of a layer's queries: another number of each image.
            name = '_loss_for_distinct_queries_single'
            patches.replace(self.head, name, self._distinct_loss)
            self.dense = DenseQueryTargets(self.head.aux_loss_for_dense, self.settings)
            self.dense.attach(patches)
        if self.settings.soft_targets:
            self.soften(self.head.loss_cls, patches)

    def _loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        samples = arguments(original, args, kwargs)['batch_data_samples']
        if not are_uncertain(labels_of(samples), self.settings):
            return original(*args, **kwargs)
        self.samples = samples
        if self.dense is not None:
            self.dense.samples = samples
        try:
            return original(*args, **kwargs)
        finally:
            self.samples, self.images = None, []
            if self.dense is not None:
                self.dense.samples = None

    def _layer_loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.samples is None:
            return original(*args, **kwargs)
        self.images = []
        losses = original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        scores = given['cls_scores' if 'cls_scores' in given else 'dn_cls_scores']
        names = ('bbox_preds', 'dn_bbox_preds', 'mask_preds')
        places = next(given[name] for name in names if name in given)
        # Deformable DETR's encoder learns of objects of any class, on copies of the labels. So do
        # heads of masks, whose softmax has one background for all classes anyway.
        agnostic = given['batch_gt_instances'][0] is not self.samples[0].gt_instances
        of_classes = [self._class_factors(image, agnostic) for image in self.images]
        scale_gradient(scores, torch.stack(of_classes))
        priors = torch.stack([image.prior_factors() for image in self.images])
        scale_gradient(places, priors.view(*priors.shape, *[1] * (places.dim() - 2)))
        return losses

    def _class_factors(self, image: ImageTargets, class_agnostic: bool = False) -> Tensor:
        """Return ``(Q, K or 1)`` the factors of the queries' scores."""
        if class_agnostic or not self.head.loss_cls.use_sigmoid:
            return image.shared_factors(self.settings)[:, None]
        return image.class_factors(self.head.cls_out_channels)

    def _distinct_loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.samples is None:
            return original(*args, **kwargs)
        self.images, self.by_image = [], True
        try:
            return original(*args, **kwargs)
        finally:
            self.by_image = False

    def _get_targets_single(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.samples is None:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        image = self._image(given, self.samples[len(self.images)])
        self.current = image
        try:
            result = original(*args, **kwargs)
        finally:
            self.current = None
        self.images.append(image)
        if self.by_image:
            scale_gradient(given['cls_score'], self._class_factors(image))
            scale_gradient(given['bbox_pred'], image.prior_factors()[:, None])
        return result

    def _image(self, given: dict[str, Any], sample: Any) -> ImageTargets:
        """Return the targets of an image's queries, before they are assigned.

        Args:
            given: The arguments of ``_get_targets_single``.
            sample: The image's.
        """
        predicted, meta = given['bbox_pred'], given['img_meta']
        height, width = meta['img_shape'][:2]
        boxes = bbox_cxcywh_to_xyxy(predicted.detach())
        boxes = torch.stack([boxes[:, 0::2] * width, boxes[:, 1::2] * height], dim=-1).flatten(1)
        ignored = lie_in(boxes, sample.get('ignored_instances'))
        return targets_of(given['gt_instances'], ignored, meta)

    def _assign(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if self.current is not None:
            self.current.assigned = result.gt_inds.clone()
        return result

    def _get_dn_targets_single(
        self, original: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        if self.samples is None:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        boxes, meta = given.pop('gt_instances'), given['img_meta']
        result, assigned = targets_by_number(
            lambda numbered: original(numbered, **given), boxes, self.head.num_classes
        )
        *_, positive, negative = result
        image = targets_of(boxes, torch.zeros_like(assigned, dtype=torch.bool), meta)
        image.assigned = assigned
        # Beside each noised box stands one with more noise, which is to be no object.
        image.assigned[negative] = image.assigned[positive]
        self.images.append(image)
        return result

    def soft_scores(self) -> Tensor | None:
        """See :class:`SoftTargets`: of a layer's queries, image after image."""
        if self.samples is None:
            return None
        return torch.cat([of_boxes(image.assigned, image.scores) for image in self.images])
