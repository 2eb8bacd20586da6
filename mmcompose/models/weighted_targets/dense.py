"""The adapters of one-stage heads and region proposals: priors on feature maps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mmcompose.models.weighted_targets.feature_maps import (
    OUTPUTS,
    has_known_rows,
    on_feature_map,
    rows_of,
)
from mmcompose.models.weighted_targets.patches import Patches, arguments
from mmcompose.models.weighted_targets.soft_targets import (
    SoftTargets,
    assigns_by_quality,
    lowers,
    mixes,
)
from mmcompose.models.weighted_targets.targets import (
    ImageTargets,
    Settings,
    are_uncertain,
    labels_given,
    of_boxes,
    scale_gradient,
)


class DenseTargets(SoftTargets):
    """Weighs the loss of a head that gives priors of feature maps their targets.

    Learns in each loss which prior got which box, then scales the gradients of the head's
    outputs. How it learns that is the subclasses' matter: :meth:`listen`. See :class:`Adapter` for
    the arguments.
    """

    def __init__(self, head: nn.Module, settings: Settings, class_agnostic: bool = False) -> None:
        super().__init__(head, settings, class_agnostic)
        self.images: list[ImageTargets] | None = None
        # Of the loss that is under way: its arguments, and priors a level.
        self.given: dict[str, Any] = {}
        self.sizes: list[int] = []
        self.level = 0

    @property
    def takes_soft_targets(self) -> bool:
        """Whether the head can learn from soft class targets, one way or the other."""
        loss = getattr(self.head, 'loss_cls', None)
        by_rows = has_known_rows(type(self.head)) and (mixes(loss) or lowers(loss))
        return by_rows or assigns_by_quality(self.head)

    def attach(self, patches: Patches) -> None:
        """See :meth:`Adapter.attach`."""
        patches.replace(self.head, 'loss_by_feat', self._loss_by_feat)
        self.listen(patches)
        if not self.settings.soft_targets or self.class_agnostic:
            return
        if has_known_rows(type(self.head)) and not assigns_by_quality(self.head):
            self.soften(self.head.loss_cls, patches)
            # TOOD's of its first epochs.
            self.soften(getattr(self.head, 'initial_loss_cls', None), patches)
        if hasattr(self.head, 'loss_obj'):
            handle = self.head.loss_obj.register_forward_pre_hook(self._soften_objectness)
            patches.add(handle.remove)

    @abstractmethod
    def listen(self, patches: Patches) -> None:
        """Replace what carries the targets of each image."""

    def _soften_objectness(
        self, loss: nn.Module, args: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor] | None:
        """Let a box of score s be an object with s: rows are the priors, image after image.

        Its class score learns s too, so that either output separates doubtful boxes from sure ones:
        their product, by which YOLOX ranks boxes, falls with the square of s.
        """
        if self.images is None:
            return None
        prediction, target = args
        return prediction, target * torch.cat(self._scores()).to(target).reshape(target.shape)

    def _of_scores(self) -> list[ImageTargets]:
        """Return the targets of scores: DDOD assigns boxes to them, and then to places."""
        return (self.images or [])[: len(self.given['batch_gt_instances'])]

    def _scores(self) -> list[Tensor]:
        return [of_boxes(image.assigned, image.scores) for image in self._of_scores()]

    def _loss_by_feat(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given = arguments(original, args, kwargs)
        if not are_uncertain(labels_given(given), self.settings):
            return original(*args, **kwargs)
        self.given, self.images, self.level = given, [], 0
        number = len(given['batch_gt_instances'])
        self.sizes = self._priors_by_level(given)
        # Views, since VFNet's outputs are inputs of one another: only the loss is to be scaled.
        given |= {name: _views(given[name]) for name in OUTPUTS if name in given}
        try:
            losses = original(**given)
            if len(self.images) not in (number, 2 * number):
                raise RuntimeError(
                    f'{type(self.head).__name__} assigned targets of {len(self.images)} images '
                    f'out of {number}: weights of labels do not reach its loss'
                )
            self._scale(given)
        finally:
            self.images, self.given = None, {}
        return losses

    def _priors_by_level(self, given: dict[str, Any]) -> list[int]:
        return [score[0].numel() // self.head.cls_out_channels for score in given['cls_scores']]

    def _scale(self, given: dict[str, Any]) -> None:
        images = self._of_scores()
        of_places = (self.images or [])[-len(images) :]
        priors = torch.stack([image.prior_factors() for image in of_places])[..., None]
        by_output = {'cls_scores': self._class_factors(), 'objectnesses': self._shared_factors()}
        if self.settings.soft_targets and hasattr(self.head, 'loss_obj'):
            by_output['bbox_preds'] = priors * torch.stack(self._scores())[..., None].to(priors)
        for name in OUTPUTS:
            if name in given:
                factors = by_output.get(name, priors).split(self.sizes, dim=1)
                for output, of_level in zip(given[name], factors, strict=True):
                    # SABL's boxes are buckets and offsets.
                    for part in output if isinstance(output, tuple) else [output]:
                        scale_gradient(part, on_feature_map(of_level, part))

    def _class_factors(self) -> Tensor:
        """Return ``(B, P, K or 1)`` the factors of the scores."""
        if self.class_agnostic or not getattr(self.head, 'use_sigmoid_cls', True):
            return self._shared_factors()
        num_classes = self.head.cls_out_channels
        return torch.stack([image.class_factors(num_classes) for image in self._of_scores()])

    def _shared_factors(self) -> Tensor:
        """Return ``(B, P, 1)`` the factors of an output that all classes share."""
        factors = [image.shared_factors(self.settings) for image in self._of_scores()]
        return torch.stack(factors)[..., None]

    def soft_scores(self) -> Tensor | None:
        """See :class:`SoftTargets`."""
        if self.images is None:
            return None
        self.level += 1
        return rows_of(type(self.head), torch.stack(self._scores()), self.sizes, self.level - 1)


def _views(outputs: Any) -> Any:
    if isinstance(outputs, Tensor):
        return outputs.view_as(outputs)
    return type(outputs)(_views(each) for each in outputs)
