"""The adapter of mask heads of one-stage detectors: CondInst, BoxInst."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmdet.models.dense_heads import BoxInstMaskHead, CondInstMaskHead

from mmcompose.models.weighted_targets.adapter import Adapter
from mmcompose.models.weighted_targets.patches import Patches, arguments
from mmcompose.models.weighted_targets.targets import box_values, scale_gradient


class InstanceMaskTargets(Adapter):
    """Of a head that predicts a mask at each place to which the box head assigned a box."""

    @staticmethod
    def serves(cls: Any) -> bool:
        """Return whether it supports the loss of a class of heads."""
        losses = (CondInstMaskHead.loss_by_feat, BoxInstMaskHead.loss_by_feat)
        return getattr(cls, 'loss_by_feat', None) in losses

    @property
    def takes_soft_targets(self) -> bool:
        """True: a mask has no class, so there is no target of one to be soft."""
        return True

    def attach(self, patches: Patches) -> None:
        """See :meth:`Adapter.attach`."""
        patches.replace(self.head, 'loss_by_feat', self._loss_by_feat)

    def _loss_by_feat(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given = arguments(original, args, kwargs)
        names = ('mask_preds', 'batch_gt_instances', 'positive_infos')
        for masks, boxes, positive in zip(*(given[name] for name in names), strict=True):
            if 'weights' in boxes:
                weights = box_values(boxes, 'weights')[positive.pos_assigned_gt_inds]
                scale_gradient(masks, weights[:, None, None])
        return original(*args, **kwargs)
