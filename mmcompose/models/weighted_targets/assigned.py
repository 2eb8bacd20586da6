"""The adapters of heads with an assigner, by which each prior gets a box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmdet.models.dense_heads import ATSSHead, VFNetHead
from mmdet.models.task_modules.prior_generators import anchor_inside_flags
from torch import Tensor

from mmcompose.models.weighted_targets.dense import DenseTargets
from mmcompose.models.weighted_targets.patches import Patches, arguments, call_without
from mmcompose.models.weighted_targets.soft_targets import QUALITY_ASSIGNERS, assigners_of
from mmcompose.models.weighted_targets.targets import (
    ImageTargets,
    labels_given,
    lie_in,
    of_boxes,
    targets_of,
)

PRIORS = ('flat_anchors', 'priors', 'flat_squares')


class AssignedTargets(DenseTargets):
    """Of a head whose assigner gives each prior a box, an image at a time.

    Listens to the head's ``_get_targets_single`` (which image, which priors) and its assigner's
    ``assign`` (which prior got which box).
    """

    current: ImageTargets | None = None

    def listen(self, patches: Patches) -> None:
        """See :meth:`DenseTargets.listen`."""
        patches.replace(self.head, '_get_targets_single', self._get_targets_single)
        for assigner in assigners_of(self.head):
            patches.replace(assigner, 'assign', self._assign)

    def _get_targets_single(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.images is None:
            return original(*args, **kwargs)
        named = original
        if isinstance(self.head, VFNetHead):
            named = ATSSHead._get_targets_single.__get__(self.head)
        given = arguments(named, args, kwargs)
        priors = next(given[name] for name in PRIORS if name in given)
        inside = given.get('inside_flags')
        if 'valid_flags' in given:
            inside = self._inside(priors, given['valid_flags'], given['img_meta'])
        image = self._image(
            priors, inside, given['gt_instances'], given['img_meta'],
            given.get('gt_instances_ignore'),
        )  # fmt: skip
        return self._while_current(image, lambda: original(*args, **kwargs))

    def _while_current(self, image: ImageTargets, assign: Callable[[], Any]) -> Any:
        """Return what the head's own computation of an image's targets returns."""
        self.current = image
        try:
            result = assign()
        finally:
            self.current = None
        assert self.images is not None
        self.images.append(image)
        return result

    def _inside(self, priors: Tensor, flags: Tensor, meta: Mapping[str, Any]) -> Any:
        border = self.head.train_cfg['allowed_border']
        return anchor_inside_flags(priors, flags, meta['img_shape'][:2], border)

    def _image(
        self,
        priors: Tensor,
        inside: Tensor | None,
        boxes: Any,
        meta: Mapping[str, Any],
        left_out: Any,
    ) -> ImageTargets:
        # VFNet's points are those of its loss alone.
        generator = getattr(self.head, 'atss_prior_generator', None)
        generator = generator or getattr(self.head, 'prior_generator', None)
        offset = getattr(generator, 'offset', None)
        return targets_of(boxes, lie_in(priors, left_out, offset), meta, inside)

    def _assign(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        image = self._assigned_image(original, args, kwargs)
        if image is None:
            return original(*args, **kwargs)
        # By itself, with `ignore_iof_thr`, it would blank priors of kept boxes under ignore boxes.
        result = call_without('gt_instances_ignore', original, args, kwargs)
        # No sampler takes these for background. Heads without a sampler do: the factor is 0, too.
        ignored = image.ignored_inside(len(result.gt_inds))
        result.gt_inds.masked_fill_((result.gt_inds == 0) & ignored, -1)
        image.assign(result.gt_inds)
        assigner = getattr(original, '__self__', None)
        if self.settings.soft_targets and isinstance(assigner, QUALITY_ASSIGNERS):
            soft = of_boxes(result.gt_inds, image.scores)
            result.max_overlaps = result.max_overlaps * soft.to(result.max_overlaps)
        return result

    def _assigned_image(
        self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ImageTargets | None:
        """Return the image that an assigner works on, or None to leave it alone."""
        return self.current


class AlignedTargets(AssignedTargets):
    """Of TOOD, whose ``_get_targets_single`` is another in its first epochs."""

    _by_boxes: dict[int, ImageTargets] | None = None

    def listen(self, patches: Patches) -> None:
        """See :meth:`DenseTargets.listen`."""
        patches.replace(self.head, 'get_targets', self._get_targets)
        for assigner in assigners_of(self.head):
            patches.replace(assigner, 'assign', self._assign)

    def _get_targets(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.images is None:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        self._by_boxes = {}
        for number, (of_image, ignored, meta) in enumerate(labels_given(given)):
            priors = torch.cat(given['anchor_list'][number])
            flags = torch.cat(given['valid_flag_list'][number])
            inside = self._inside(priors, flags, meta)
            self._by_boxes[id(of_image)] = self._image(priors, inside, of_image, meta, ignored)
        try:
            result = original(*args, **kwargs)
            self.images += self._by_boxes.values()
        finally:
            self._by_boxes = None
        return result

    def _assigned_image(
        self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ImageTargets | None:
        """See :meth:`AssignedTargets._assigned_image`."""
        if self._by_boxes is None:
            return None
        return self._by_boxes[id(arguments(original, args, kwargs)['gt_instances'])]


class MinedTargets(AssignedTargets):
    """Of SSD, which computes a cross-entropy by itself and mines the background for it."""

    @property
    def takes_soft_targets(self) -> bool:
        """Whether the head can learn from soft class targets."""
        return True

    def listen(self, patches: Patches) -> None:
        """See :meth:`DenseTargets.listen`."""
        super().listen(patches)
        if self.settings.soft_targets:
            patches.replace(self.head, 'loss_by_feat_single', self._loss_by_feat_single)

    def _loss_by_feat_single(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        loss_cls, loss_bbox = original(*args, **kwargs)
        if self.images is None:
            return loss_cls, loss_bbox
        given = arguments(original, args, kwargs)
        image, logits = self.images[self.level], given['cls_score']
        self.level += 1
        # Background's cross-entropy is that of a class, and the difference of their logits.
        own = logits.gather(1, given['labels'][:, None])[:, 0]
        change = (own - logits[:, self.head.num_classes]) * given['label_weights']
        doubt = 1 - of_boxes(image.assigned, image.scores)
        return loss_cls + (doubt * change).sum() / given['avg_factor'], loss_bbox
