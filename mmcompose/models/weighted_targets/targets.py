"""What each prior of an image was assigned, and how much its gradient counts: the mechanism.

A detection loss is a sum over priors (anchors, points, RoIs) of terms that depend on that prior's
outputs alone, divided by a normaliser that takes no gradient. To weigh a term is therefore to
multiply the gradient at that prior's outputs, whatever the loss is; and a factor of 1 changes
nothing, to the bit. The normaliser stays MMDet's: it counts a box of weight 0 as it counts one
of weight 1, so that a doubtful box does not make the others count more.

A GPU is fed ahead of what it computes. So nothing here asks for a value, or for the places where a
mask is true: either would wait until all is computed that was asked for before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import torch
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

# Of one image: its boxes, those to be ignored or None, and its metainfo.
Labels: TypeAlias = tuple[Any, Any, Mapping[str, Any]]
# A prior at least so much of which lies in an ignore box is left out, as with MMDet's assigners.
IGNORE_IOF = 0.5
# Bounds the memory that comparing all of an image's priors with its ignore boxes takes.
_BOXES_AT_ONCE = 32


@dataclass(frozen=True)
class Settings:
    """How uncertain labels are learned from.

    Args:
        soft_targets: Whether a box's class target is its score instead of 1.
        uncovered_objectness: In an image whose labels do not cover all classes, how much priors
            without a box count where all classes share one output: as no object (YOLOX, region
            proposals), and as background of a softmax.
    """

    soft_targets: bool = False
    uncovered_objectness: float = 0.0


@dataclass
class ImageTargets:
    """What the priors of one image were assigned; P priors, G boxes.

    Args:
        assigned: ``(P,)`` int64: the number of the box, from 1; 0 for none; -1 for left out.
        ignored: ``(P,)`` bool, which lie in an ignore box.
        labels: ``(G,)`` int64, the boxes' classes.
        weights: ``(G,)`` float32 of the boxes.
        scores: ``(G,)`` float32 of the boxes, in [0, 1].
        covered: Classes whose labels are complete in this image; None for all.
        inside: ``(P,)`` bool, which priors are inside the image, where an assigner sees those
            alone; None where it sees all.
    """

    assigned: Tensor
    ignored: Tensor
    labels: Tensor
    weights: Tensor
    scores: Tensor
    covered: Sequence[int] | None
    inside: Tensor | None = None

    def ignored_inside(self, count: int) -> Tensor:
        """Return ``(count,)`` bool: ``ignored`` of the priors that an assigner sees."""
        if self.inside is None:
            return self.ignored
        return self.ignored[torch.argsort(~self.inside, stable=True)[:count]]

    def assign(self, numbers: Tensor) -> None:
        """Set ``assigned`` of the priors that an assigner sees; the others got no box.

        Args:
            numbers: Of those, as ``assigned``.
        """
        if self.inside is None:
            self.assigned = numbers.clone()
        else:
            self.assigned = torch.zeros_like(self.assigned).masked_scatter(self.inside, numbers)

    @property
    def without_box(self) -> Tensor:
        """``(P,)`` bool: no box's."""
        return self.assigned <= 0

    def prior_factors(self) -> Tensor:
        """``(P,)``: the weight of the prior's box; 0 in ignore boxes; else 1."""
        factors = of_boxes(self.assigned, self.weights)
        return factors.masked_fill(self.ignored & self.without_box, 0)

    def class_factors(self, num_classes: int) -> Tensor:
        """``(P, num_classes)``: and 0 for classes not covered, but that of the prior's box."""
        factors = self.prior_factors()[:, None].expand(-1, num_classes)
        if self.covered is None:
            return factors
        classes = torch.arange(num_classes, device=factors.device)
        own = of_boxes(self.assigned, self.labels, without=-1)[:, None] == classes
        covered = covered_mask(tuple(self.covered), num_classes, factors.device)
        return factors.masked_fill(~(own | covered), 0)

    def shared_factors(self, settings: Settings) -> Tensor:
        """``(P,)``, of an output that all classes share; see ``uncovered_objectness``."""
        factors = self.prior_factors()
        if self.covered is None:
            return factors
        return torch.where(self.without_box, factors * settings.uncovered_objectness, factors)


def targets_of(
    boxes: Any, ignored: Tensor, meta: Mapping[str, Any], inside: Tensor | None = None
) -> ImageTargets:
    """Return what is known of an image's labels, before any prior is assigned.

    Args:
        boxes: The boxes, with ``weights`` and ``scores`` where they have some.
        ignored: ``(P,)`` bool, which priors lie in an ignore box.
        meta: Of the image.
        inside: See :class:`ImageTargets`.
    """
    return ImageTargets(
        torch.zeros(len(ignored), dtype=torch.long, device=ignored.device),
        ignored,
        boxes.labels,
        box_values(boxes, 'weights'),
        box_values(boxes, 'scores'),
        meta.get('covered_classes'),
        inside,
    )


@lru_cache(maxsize=1024)
def covered_mask(covered: tuple[int, ...], num_classes: int, device: torch.device) -> Tensor:
    """Return ``(num_classes,)`` bool on a device: which classes are covered; not to be changed."""
    mask = torch.zeros(num_classes, dtype=torch.bool)
    mask[list(covered)] = True
    return mask.to(device)


def class_factors_of_regions(
    regions: Tensor,
    boxes: Any,
    ignored: Tensor,
    covered: Sequence[int] | None,
    num_classes: int,
) -> Tensor:
    """Return how much each prior's score of each class counts, where boxes have regions.

    A prior counts as much as the box to which it belongs most; its score of a class, as much as
    the box of that class to which it belongs most.

    Args:
        regions: ``(G, P)`` of at least 0: how much a prior belongs to a box.
        boxes: The boxes.
        ignored: ``(P,)`` bool, which priors lie in an ignore box.
        covered: Classes whose labels are complete in this image; None for all.
        num_classes: How many classes there are.

    Returns:
        ``(P, num_classes)`` float32.
    """
    of_priors = (~ignored).float()
    weights = box_values(boxes, 'weights')
    if len(regions):
        most, number = regions.max(dim=0)
        of_priors = torch.where(most > 0, weights[number], of_priors)
    factors = of_priors[:, None].repeat(1, num_classes)
    if covered is not None:
        factors *= covered_mask(tuple(covered), num_classes, factors.device)
    return by_class(factors, regions, boxes.labels, weights)


def by_class(values: Tensor, regions: Tensor, labels: Tensor, own_values: Tensor) -> Tensor:
    """Return values of priors and classes, with those of boxes where priors belong to some.

    Args:
        values: ``(P, num_classes)``.
        regions: ``(G, P)`` of at least 0: how much a prior belongs to a box.
        labels: ``(G,)`` int64, the boxes' classes.
        own_values: ``(G,)``: each prior takes that of the box of the class to which it belongs
            most.
    """
    found, best = values.clone(), torch.zeros_like(values)
    for own, value, label in zip(regions[..., None], own_values, labels[:, None], strict=True):
        before = best.index_select(1, label)
        of_class = torch.where(own > before, value, found.index_select(1, label))
        found.index_copy_(1, label, of_class)
        best.index_copy_(1, label, torch.maximum(own, before))
    return found


def of_boxes(assigned: Tensor, values: Tensor, without: float = 1.0) -> Tensor:
    """Return ``(P,)``: the value of each prior's box, or another one where it has none.

    Args:
        assigned: ``(P,)`` as of :class:`ImageTargets`.
        values: ``(G,)`` of the boxes.
        without: For priors without a box. Defaults to 1.
    """
    return torch.cat([values.new_full((1,), without), values])[assigned.clamp(min=0)]


def box_values(instances: Any, name: str) -> Tensor:
    """Return ``(G,)`` float32 ``weights`` or ``scores`` of boxes, 1 where they carry none."""
    values: Tensor | None = instances.get(name)
    if values is None:
        return torch.ones(len(instances.bboxes), device=instances.bboxes.device)
    return values.float()


def is_uncertain(instances: Any, ignored: Any, covered: object, settings: Settings) -> bool:
    """Return whether anything of an image's labels is beyond plain ground truth.

    Boxes carry weights or scores only where one differs from 1: see
    :class:`~mmcompose.datasets.PackDetInputs`.
    """
    if covered is not None or (ignored is not None and len(ignored.get('bboxes', ())) > 0):
        return True
    names = ('weights', 'scores') if settings.soft_targets else ('weights',)
    return any(name in instances for name in names)


def are_uncertain(labels: Iterable[Labels], settings: Settings) -> bool:
    """Return whether :func:`is_uncertain` is true of any image of a batch."""
    return any(
        is_uncertain(boxes, ignored, meta.get('covered_classes'), settings)
        for boxes, ignored, meta in labels
    )


def labels_given(given: Mapping[str, Any]) -> list[Labels]:
    """Return the labels of a batch, from the arguments of a head's ``loss_by_feat``."""
    boxes = given['batch_gt_instances']
    ignored = given.get('batch_gt_instances_ignore') or [None] * len(boxes)
    return list(zip(boxes, ignored, given['batch_img_metas'], strict=True))


def labels_of(samples: Iterable[Any]) -> list[Labels]:
    """Return the labels of a batch, from its data samples."""
    return [(each.gt_instances, each.get('ignored_instances'), each.metainfo) for each in samples]


def lie_in(priors: Any, ignored: Any, point_offset: float | None = None) -> Tensor:
    """Return which priors lie in a box that is to be ignored: the centre does, or half of the area.

    Args:
        priors: ``(P, 4)`` xyxy; or points ``(x, y, stride, stride)``.
        ignored: The instances that are to be ignored, or None.
        point_offset: Of points, where in its cell of one stride a point stands; None for boxes.

    Returns:
        ``(P,)`` bool.
    """
    priors = get_box_tensor(priors)
    found = torch.zeros(len(priors), dtype=torch.bool, device=priors.device)
    if ignored is not None and 'bboxes' in ignored:
        for some in get_box_tensor(ignored.bboxes).split(_BOXES_AT_ONCE):
            found |= _lie_in(priors, some, point_offset)
    return found


def _lie_in(priors: Tensor, boxes: Tensor, point_offset: float | None) -> Tensor:
    low, high = boxes[None, :, :2], boxes[None, :, 2:]
    if point_offset is not None:
        centres = priors[:, None, :2] + (0.5 - point_offset) * priors[:, None, 2:]
        return _between(low, centres, high).any(dim=1)
    first, last = priors[:, None, :2], priors[:, None, 2:]
    inside = _between(low, (first + last) / 2, high)
    common = (torch.minimum(last, high) - torch.maximum(first, low)).clamp(min=0).prod(dim=-1)
    area = (last - first).clamp(min=0).prod(dim=-1)
    return (inside | ((common >= IGNORE_IOF * area) & (area > 0))).any(dim=1)


def _between(low: Tensor, points: Tensor, high: Tensor) -> Tensor:
    return ((points >= low) & (points <= high)).all(dim=-1)


def scale_gradient(output: Tensor, factors: Tensor) -> None:
    """Multiply the gradient that reaches an output; where the factor is 0 it is exactly 0.

    Args:
        output: Of a head, of any shape.
        factors: Of a shape that broadcasts to it.
    """
    if not output.requires_grad:
        return

    def scaled(gradient: Tensor) -> Tensor:
        times = factors.to(gradient)
        # Not a product alone: 0 times a gradient that is no number is no number. The gradient
        # comes first: its order in memory stays, by which sums of it round.
        return (gradient * times).masked_fill_(times == 0, 0)

    output.register_hook(scaled)
