"""The adapter of RepPoints: points that are assigned twice, to begin with and refined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mmcompose.models.weighted_targets.assigned import AssignedTargets
from mmcompose.models.weighted_targets.feature_maps import on_feature_map
from mmcompose.models.weighted_targets.patches import Patches, arguments
from mmcompose.models.weighted_targets.targets import (
    ImageTargets,
    labels_given,
    lie_in,
    scale_gradient,
    targets_of,
)


class RepPointsTargets(AssignedTargets):
    """Of RepPoints, whose first points are assigned before its scores and refined points.

    What its points teach is scaled at the boxes around them, which learn a parameter of their own.
    """

    # Of the loss that is under way: how many times points were turned into boxes.
    calls = 0

    def listen(self, patches: Patches) -> None:
        """See :meth:`DenseTargets.listen`."""
        super().listen(patches)
        patches.replace(self.head, 'points2bbox', self._points2bbox)

    def _get_targets_single(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.images is None:
            return original(*args, **kwargs)
        if not self.images:
            self.calls = 0
        given = arguments(original, args, kwargs)
        labels = labels_given(self.given)
        _, ignored, meta = labels[len(self.images) % len(labels)]
        priors = given['flat_proposals']
        if given['stage'] == 'init':
            # x, y and stride, or boxes around them.
            priors = priors[:, :2].repeat(1, 2) if priors.shape[1] == 3 else priors
        inside = given['valid_flags']
        image = targets_of(given['gt_instances'], lie_in(priors, ignored), meta, inside)
        return self._while_current(image, lambda: original(*args, **kwargs))

    def _points2bbox(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        boxes = original(*args, **kwargs)
        if not self.images or not self._of_scores():
            # No loss, but where refined points are to be looked for.
            return boxes
        level, refined = divmod(self.calls, 2)
        self.calls += 1
        images = self._of_scores() if refined else self.images[: self._num_images()]
        factors = torch.stack([image.prior_factors() for image in images])
        own = boxes.view_as(boxes)
        scale_gradient(own, factors.split(self.sizes, dim=1)[level].reshape(-1, 1))
        return own

    def _num_images(self) -> int:
        return len(self.given['batch_gt_instances'])

    def _of_scores(self) -> list[ImageTargets]:
        return (self.images or [])[self._num_images() :]

    def _scale(self, given: dict[str, Any]) -> None:
        by_level = self._class_factors().split(self.sizes, dim=1)
        for output, of_level in zip(given['cls_scores'], by_level, strict=True):
            scale_gradient(output, on_feature_map(of_level, output))
