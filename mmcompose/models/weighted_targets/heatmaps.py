"""The adapters of heads that learn heatmaps of centers: CenterNet and its update.

A place of a class's map belongs to the box whose bump it lies on, the highest where several meet.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from mmdet.models.dense_heads import CenterNetHead, CenterNetUpdateHead
from mmengine.structures import InstanceData
from torch import Tensor

from mmcompose.models.weighted_targets.bags import BagTargets
from mmcompose.models.weighted_targets.feature_maps import on_feature_map
from mmcompose.models.weighted_targets.patches import Patches, arguments
from mmcompose.models.weighted_targets.targets import box_values, scale_gradient


class HeatmapTargets(BagTargets):
    """What the two have in common; see :class:`Adapter` for the arguments."""

    def _heatmap_loss(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given = arguments(original, args, kwargs)
        if not self.given:
            return original(**given)
        prediction = given.pop('pred')
        # No bump and, in the update's, no place for a positive.
        nothing = {'target': torch.zeros_like(given['target'])}
        for name in ('pos_inds', 'pos_labels'):
            if given.get(name) is not None:
                nothing[name] = given[name][:0]
        return self._mixed(
            lambda heatmap: original(heatmap, **given),
            lambda heatmap: original(heatmap, **{**given, **nothing}),
            [prediction],
            self._laid(torch.stack(self.scores), prediction),
        )

    @abstractmethod
    def _laid(self, values: Tensor, prediction: Tensor) -> Tensor:
        """Lay ``(B, P, C)`` values out as the loss gets its prediction."""


class CenterNetTargets(HeatmapTargets):
    """Of CenterNet: one map a class, and the size and offset of a box at its center."""

    @staticmethod
    def serves(cls: Any) -> bool:
        """Return whether it supports the loss of a class of heads."""
        return getattr(cls, 'loss_by_feat', None) is CenterNetHead.loss_by_feat

    def listen(self, patches: Patches) -> None:
        """See :meth:`BagTargets.listen`."""
        patches.replace(self.head, 'get_targets', self._get_targets)
        if self.settings.soft_targets:
            patches.replace(self.head.loss_center_heatmap, 'forward', self._heatmap_loss)

    def _get_targets(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if not self.given:
            return result
        given = arguments(original, args, kwargs)
        (_, _, height, width), image_shape = given['feat_shape'], given['img_shape']
        of_boxes = []
        for boxes in self.given['batch_gt_instances']:
            bumps = boxes.bboxes.new_zeros(len(boxes.bboxes), height * width)
            at_center = torch.ones(height * width, 1, device=bumps.device)
            for number, weight in enumerate(box_values(boxes, 'weights')):
                one = boxes[number : number + 1]
                shape = (1, self.head.num_classes, height, width)
                target, _ = original([one.bboxes], [one.labels], shape, image_shape)
                bumps[number] = target['center_heatmap_target'].amax(dim=(0, 1)).flatten()
                # Of two boxes with one center, the last is learned.
                own = target['wh_offset_target_weight'][0, 0].flatten() > 0
                at_center = torch.where(own[:, None], weight, at_center)
            of_boxes.append(at_center)
            places = self._places(height, width, image_shape, bumps)
            self._add_image(boxes, bumps, places)
        names = ('center_heatmap_preds', 'wh_preds', 'offset_preds')
        for name, factors in zip(names, (self.images, of_boxes, of_boxes), strict=True):
            (output,) = self.given[name]
            scale_gradient(output, on_feature_map(torch.stack(factors), output))
        return result

    def _laid(self, values: Tensor, prediction: Tensor) -> Tensor:
        return on_feature_map(values, prediction)

    @staticmethod
    def _places(height: int, width: int, image_shape: Any, like: Tensor) -> Tensor:
        """Return ``(P, 4)`` the map's places in the image, as boxes without a size."""
        rows = (torch.arange(height).to(like) + 0.5) * image_shape[0] / height
        columns = (torch.arange(width).to(like) + 0.5) * image_shape[1] / width
        y, x = torch.meshgrid(rows, columns, indexing='ij')
        return torch.stack([x, y], dim=-1).reshape(-1, 2).repeat(1, 2)


class CenterNetUpdateTargets(HeatmapTargets):
    """Of CenterNet's update: maps on the levels of a pyramid, boxes at the places near a center.

    Beside the bumps, it takes places near a center where it predicts well for positives.
    """

    @staticmethod
    def serves(cls: Any) -> bool:
        """Return whether it supports the loss of a class of heads."""
        return getattr(cls, 'loss_by_feat', None) is CenterNetUpdateHead.loss_by_feat

    def listen(self, patches: Patches) -> None:
        """See :meth:`BagTargets.listen`."""
        self.of_boxes: list[Tensor] = []
        patches.replace(self.head, '_get_targets_single', self._get_targets_single)
        patches.replace(self.head, 'add_cls_pos_inds', self._add_cls_pos_inds)
        if self.settings.soft_targets:
            patches.replace(self.head.loss_cls, 'forward', self._heatmap_loss)

    def _get_targets_single(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if not self.given:
            return result
        given = arguments(original, args, kwargs)
        boxes, points = given.pop('gt_instances'), given['points']
        bumps = points.new_zeros(len(boxes.bboxes), len(points))
        of_boxes = points.new_ones(len(points), 1)
        for number, weight in enumerate(box_values(boxes, 'weights')):
            heat, target = original(boxes[number : number + 1], **given)
            bumps[number] = heat.amax(dim=1)
            own = (target == result[1]).all(dim=1) & (target.amax(dim=1) >= 0)
            of_boxes = torch.where(own[:, None], weight, of_boxes)
        if not self.images:
            self.of_boxes = []
        self.of_boxes.append(of_boxes)
        self._add_image(boxes, bumps, points.repeat(1, 2))
        return result

    def _add_cls_pos_inds(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if not self.given:
            return result
        of_classes, places = torch.stack(self.images), result[0]
        scores = torch.stack(self.scores)
        if places is not None:
            given = arguments(original, args, kwargs)
            every = given.pop('batch_gt_instances')
            counts = [len(each.bboxes) for each in every]
            numbers = torch.arange(sum(counts), device=places.device).split(counts)
            numbered = [
                InstanceData(bboxes=each.bboxes, labels=own)
                for each, own in zip(every, numbers, strict=True)
            ]
            places, number = original(batch_gt_instances=numbered, **given)
            labels = torch.cat([each.labels for each in every])
            rows = self._rows(of_classes)[places]
            for found, name in ((of_classes, 'weights'), (scores, 'scores')):
                values = torch.cat([box_values(each, name) for each in every]).to(found)
                flat = found.view(-1, self.head.num_classes)
                flat[rows, labels[number]] = values[number]
            self.scores = list(scores)
        self._scale('cls_scores', of_classes)
        self._scale('bbox_preds', torch.stack(self.of_boxes))
        return result

    def _sizes(self) -> list[int]:
        return [each.shape[-2] * each.shape[-1] for each in self.given['cls_scores']]

    def _rows(self, factors: Tensor) -> Tensor:
        """Return which ``image * P + prior`` each row of the loss is: level after level."""
        images, priors = factors.shape[:2]
        number = torch.arange(images * priors, device=factors.device).view(images, priors)
        return torch.cat([each.flatten() for each in number.split(self._sizes(), dim=1)])

    def _laid(self, values: Tensor, prediction: Tensor) -> Tensor:
        return values.view(-1, self.head.num_classes)[self._rows(values)]

    def _scale(self, name: str, factors: Tensor) -> None:
        levels = factors.split(self._sizes(), dim=1)
        for output, of_level in zip(self.given[name], levels, strict=True):
            scale_gradient(output, on_feature_map(of_level, output))
