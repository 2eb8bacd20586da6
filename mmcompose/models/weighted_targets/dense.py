"""The adapters of one-stage heads and region proposals: priors on feature maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmdet.models.task_modules.prior_generators import anchor_inside_flags
from torch import Tensor, nn

from mmcompose.models.weighted_targets.patches import Patches, arguments, call_without
from mmcompose.models.weighted_targets.soft_targets import (
    QUALITY_ASSIGNERS,
    MixesBackground,
    assigners_of,
    mixes,
)
from mmcompose.models.weighted_targets.supported_heads import OUTPUTS
from mmcompose.models.weighted_targets.targets import (
    ImageTargets,
    Settings,
    box_values,
    is_uncertain,
    lie_in,
    of_boxes,
    scale_gradient,
)


class DenseTargets(MixesBackground):
    """Weighs the loss of a head that assigns boxes to priors of feature maps.

    Listens to the head's ``_get_targets_single`` (which image, which priors) and its assigner's
    ``assign`` (which prior got which box), then scales the gradients of the head's outputs.

    Args:
        head: Any that :func:`not_reached` has nothing against.
        class_agnostic: Whether its one class is any object, as in region proposals.
        settings: How uncertain labels are learned from.
    """

    def __init__(self, head: nn.Module, class_agnostic: bool, settings: Settings) -> None:
        self.head = head
        self.class_agnostic = class_agnostic
        self.settings = settings
        self.images: list[ImageTargets] | None = None
        self.current: ImageTargets | None = None
        self.sizes: list[int] = []
        self.level = 0

    def attach(self, patches: Patches) -> None:
        """Listen."""
        patches.replace(self.head, 'loss_by_feat', self._loss_by_feat)
        patches.replace(self.head, '_get_targets_single', self._get_targets_single)
        for assigner in assigners_of(self.head):
            patches.replace(assigner, 'assign', self._assign)
        if self.settings.soft_targets and not self.class_agnostic and mixes(self.head):
            handle = self.head.loss_cls.register_forward_hook(self._soften, with_kwargs=True)
            patches.add(handle.remove)
        if self.settings.soft_targets and hasattr(self.head, 'loss_obj'):
            handle = self.head.loss_obj.register_forward_pre_hook(self._soften_objectness)
            patches.add(handle.remove)

    def _soften_objectness(
        self, loss: nn.Module, args: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor] | None:
        """Let a box of score s be an object with s: rows are the priors, image after image.

        Its class score learns s too, so that either output tells doubtful boxes from sure ones:
        their product, by which YOLOX ranks boxes, falls with the square of s.
        """
        if self.images is None:
            return None
        prediction, target = args
        return prediction, target * torch.cat(self._scores()).to(target).reshape(target.shape)

    def _scores(self) -> list[Tensor]:
        return [of_boxes(image.assigned, image.scores) for image in self.images or ()]

    def _loss_by_feat(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given = arguments(original, args, kwargs)
        boxes, metas = given['batch_gt_instances'], given['batch_img_metas']
        ignored = given.get('batch_gt_instances_ignore') or [None] * len(boxes)
        if not any(
            is_uncertain(each, left_out, meta.get('covered_classes'), self.settings)
            for each, left_out, meta in zip(boxes, ignored, metas, strict=True)
        ):
            return original(*args, **kwargs)
        self.images, self.level = [], 0
        self.sizes = [
            score[0].numel() // self.head.cls_out_channels for score in given['cls_scores']
        ]
        try:
            losses = original(*args, **kwargs)
            if len(self.images) != len(boxes):
                raise RuntimeError(
                    f'{type(self.head).__name__} assigned targets of {len(self.images)} images '
                    f'out of {len(boxes)}: weights of labels do not reach its loss'
                )
            self._scale(given, self.images)
        finally:
            self.images = self.current = None
        return losses

    def _get_targets_single(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.images is None:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        priors, boxes, meta = self._priors(given), given['gt_instances'], given['img_meta']
        left_out = given.get('gt_instances_ignore')
        inside = None
        if 'valid_flags' in given:
            border = self.head.train_cfg['allowed_border']
            inside = anchor_inside_flags(
                priors, given['valid_flags'], meta['img_shape'][:2], border
            )
        assigned = torch.zeros(len(priors), dtype=torch.long, device=boxes.labels.device)
        offset = getattr(self.head.prior_generator, 'offset', None)
        ignored = lie_in(priors, left_out.bboxes if left_out is not None else None, offset)
        self.current = ImageTargets(
            assigned if inside is None else assigned[inside],
            ignored if inside is None else ignored[inside],
            boxes.labels,
            box_values(boxes, 'weights'),
            box_values(boxes, 'scores'),
            meta.get('covered_classes'),
        )
        result = original(*args, **kwargs)
        if inside is not None:
            # Priors outside the image take no gradient.
            assigned[inside] = self.current.assigned
            self.current.assigned, self.current.ignored = assigned, ignored
        self.images.append(self.current)
        return result

    @staticmethod
    def _priors(given: dict[str, Any]) -> Any:
        return given['flat_anchors'] if 'flat_anchors' in given else given['priors']

    def _assign(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.current is None:
            return original(*args, **kwargs)
        # By itself, with `ignore_iof_thr`, it would blank priors of kept boxes under ignore boxes.
        result = call_without('gt_instances_ignore', original, args, kwargs)
        # No sampler takes these for background. Heads without a sampler do: the factor is 0, too.
        result.gt_inds[(result.gt_inds == 0) & self.current.ignored] = -1
        self.current.assigned = result.gt_inds.clone()
        assigner = getattr(original, '__self__', None)
        if self.settings.soft_targets and isinstance(assigner, QUALITY_ASSIGNERS):
            soft = of_boxes(result.gt_inds, self.current.scores)
            result.max_overlaps = result.max_overlaps * soft.to(result.max_overlaps)
        return result

    def _scale(self, given: dict[str, Any], images: Sequence[ImageTargets]) -> None:
        priors = torch.stack([image.prior_factors() for image in images])[..., None]
        shared = torch.stack([image.shared_factors(self.settings) for image in images])[..., None]
        num_classes = self.head.cls_out_channels
        if self.class_agnostic or not getattr(self.head, 'use_sigmoid_cls', True):
            by_class = shared
        else:
            by_class = torch.stack([image.class_factors(num_classes) for image in images])
        by_output = {'cls_scores': by_class, 'objectnesses': shared}
        if self.settings.soft_targets and hasattr(self.head, 'loss_obj'):
            by_output['bbox_preds'] = priors * torch.stack(self._scores())[..., None].to(priors)
        for name in OUTPUTS:
            if name in given:
                factors = by_output.get(name, priors).split(self.sizes, dim=1)
                for output, of_level in zip(given[name], factors, strict=True):
                    scale_gradient(output, on_feature_map(of_level, output))

    def soft_scores(self) -> Tensor | None:
        """See :class:`MixesBackground`: of one level's priors, image after image."""
        if self.images is None:
            return None
        of_level = torch.stack(self._scores()).split(self.sizes, dim=1)[self.level]
        self.level += 1
        return of_level.reshape(-1)


def on_feature_map(factors: Tensor, output: Tensor) -> Tensor:
    """Lay factors of priors out as a head lays out its outputs.

    Args:
        factors: ``(B, H * W * A, 1 or K)``, A priors at each place.
        output: ``(B, A * K, H, W)``.

    Returns:
        Like ``output``.
    """
    images, channels, height, width = output.shape
    at_place = factors.shape[1] // (height * width)
    laid = factors.reshape(images, height, width, at_place, -1)
    laid = laid.expand(-1, -1, -1, -1, channels // at_place)
    return laid.reshape(images, height, width, channels).permute(0, 3, 1, 2)
