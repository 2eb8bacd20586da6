"""The adapter of YOLOv3: boxes, objectness and classes in one map a level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mmcompose.models.weighted_targets.assigned import AssignedTargets
from mmcompose.models.weighted_targets.feature_maps import on_feature_map
from mmcompose.models.weighted_targets.patches import Patches, arguments
from mmcompose.models.weighted_targets.targets import labels_given, scale_gradient


class YOLOV3Targets(AssignedTargets):
    """Of YOLOv3, whose background is objectness alone: classes are learned of boxes only.

    So a box of score s is an object with s, and its class and place are learned as far as s goes.
    """

    @property
    def takes_soft_targets(self) -> bool:
        """Whether the head can learn from soft class targets."""
        return True

    def listen(self, patches: Patches) -> None:
        """See :meth:`DenseTargets.listen`."""
        super().listen(patches)
        if self.settings.soft_targets:
            handle = self.head.loss_conf.register_forward_pre_hook(self._soften_objectness)
            patches.add(handle.remove)

    def _get_targets_single(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.images is None:
            return original(*args, **kwargs)
        given = arguments(original, args, kwargs)
        _, ignored, meta = labels_given(self.given)[len(self.images)]
        anchors = torch.cat(given['anchors'])
        image = self._image(anchors, None, given['gt_instances'], meta, ignored)
        return self._while_current(image, lambda: original(*args, **kwargs))

    def _soften_objectness(
        self, loss: nn.Module, args: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor] | None:
        if self.images is None:
            return None
        self.level += 1
        of_level = torch.stack(self._scores()).split(self.sizes, dim=1)[self.level - 1]
        prediction, target = args
        return prediction, target * of_level.to(target)

    def _priors_by_level(self, given: dict[str, Any]) -> list[int]:
        return [each[0].numel() // self.head.num_attrib for each in given['pred_maps']]

    def _scale(self, given: dict[str, Any]) -> None:
        images = self._of_scores()
        scores = torch.stack(self._scores())[..., None] if self.settings.soft_targets else 1.0
        priors = torch.stack([image.prior_factors() for image in images])[..., None]
        classes = torch.stack([image.class_factors(self.head.num_classes) for image in images])
        boxes = (priors * scores).expand(-1, -1, 4)
        factors = torch.cat([boxes, self._shared_factors(), classes * scores], dim=2)
        by_level = factors.split(self.sizes, dim=1)
        for output, of_level in zip(given['pred_maps'], by_level, strict=True):
            scale_gradient(output, on_feature_map(of_level, output))
