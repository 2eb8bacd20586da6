"""A detector from its input to decoded boxes and scores, in operators that ONNX has."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models import SingleStageDetector, YOLOXHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from torch import Tensor, nn

from mmcompose.utils import UserError, problem

# What turns the outputs of a head into boxes; whoever overrides one decodes in another way.
_DECODING = ('predict_by_feat', '_predict_by_feat_single', '_bbox_post_process')
# Where a head sets no limit.
_MOST = 1000
SUPPORTED = 'RetinaNet, ATSS, FCOS, RTMDet, YOLOX, EfficientDet and others of their decoding'


def check_head(model: nn.Module) -> None:
    """Check that a detector's decoding is known, and its suppression one that ONNX has.

    Raises:
        UserError: If not; the line names the head, or the setting of ``model.test_cfg``.
    """
    head: Any = getattr(model, 'bbox_head', None)
    if not isinstance(model, SingleStageDetector) or not _decodes_plainly(head):
        name = type(model).__name__ if head is None else type(head).__name__
        raise UserError(problem('model', name, f'cannot be exported to ONNX; can: {SUPPORTED}'))
    suppression = head.test_cfg.get('nms') or {}
    for name, only in (('type', 'nms'), ('class_agnostic', False)):
        value = suppression.get(name, only)
        if value != only:
            expected = f'is no suppression that an ONNX file can hold (expected: {only!r})'
            raise UserError(problem(f'model.test_cfg.nms.{name}', value, expected))


def _decodes_plainly(head: Any) -> bool:
    owner = YOLOXHead if isinstance(head, YOLOXHead) else BaseDenseHead
    return isinstance(head, owner) and all(
        getattr(type(head), name) is getattr(owner, name) for name in _DECODING
    )


class DecodedBoxes(nn.Module):
    """A one-stage detector with a fixed input, up to what is suppressed.

    Scores that MMDetection's thresholds leave out are 0.

    Args:
        model: The detector; see :func:`check_head`.
        blank_around: Whether the input is 0 where no picture lies, and nowhere else, so that boxes
            end where the picture does. Defaults to False: they end with the input.
    """

    # MMDetection ships no types.
    model: Any
    head: Any

    def __init__(self, model: nn.Module, blank_around: bool = False) -> None:
        super().__init__()
        self.blank_around = blank_around
        self.model = model
        self.head = model.bbox_head

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Detect in one picture.

        Args:
            images: ``(1, 3, height, width)`` float32, prepared.

        Returns:
            Boxes ``(1, N, 4)``, xyxy in pixels of the input, and scores ``(1, classes, N)``.
        """
        outputs = self.head(self.model.extract_feat(images))
        sizes = [tuple(level.shape[2:]) for level in outputs[0]]
        classes, deltas, *rest = (_flat(levels, self._channels(n)) for n, levels in
                                  enumerate(outputs) if levels[0] is not None)  # fmt: skip
        if isinstance(self.head, YOLOXHead):
            boxes, scores = self._yolox(sizes, classes, deltas, rest[0])
        else:
            boxes = self._boxes(sizes, deltas, self._limits(images))
            scores = self._scores(classes, rest)
        scores = scores * self._is_large_enough(boxes)
        return boxes[None], scores.T[None]

    def _limits(self, images: Tensor) -> Tensor:
        """Return ``(4,)`` where boxes end: width, height, width, height."""
        if not self.blank_around:
            height, width = images.shape[2:]
            return images.new_tensor([width, height, width, height])
        inked = images.abs().amax(dim=(0, 1)) > 0
        ends = [inked.any(dim=axis).sum() for axis in (0, 1)]
        return torch.stack([*ends, *ends]).to(images.dtype)

    def _channels(self, output: int) -> int:
        return int((self.head.cls_out_channels, 4, 1)[output])

    @property
    def most(self) -> int:
        """How many boxes a picture has at most; YOLOX has no limit."""
        limit = self.head.test_cfg.get('max_per_img', _MOST)
        return _MOST if isinstance(self.head, YOLOXHead) else int(limit)

    @property
    def _threshold(self) -> float:
        return float(self.head.test_cfg.get('score_thr', 0))

    def _boxes(self, sizes: Any, deltas: Tensor, limits: Tensor) -> Tensor:
        priors = self.head.prior_generator.grid_priors(sizes, dtype=deltas.dtype, device='cpu')
        coder = self.head.bbox_coder
        boxes: Tensor = coder.decode(torch.cat(priors), deltas)
        if not coder.clip_border:
            return boxes
        # Not by the coder: MMDet 3 clips by a module that it no longer has, where it is exported.
        return torch.minimum(boxes.clamp(min=0), limits)

    def _scores(self, classes: Tensor, rest: list[Tensor]) -> Tensor:
        scores = classes.sigmoid() if self.head.use_sigmoid_cls else classes.softmax(-1)[:, :-1]
        known = (scores > self._threshold).to(scores.dtype)
        # A centerness lowers a score after the threshold.
        return scores * known * rest[0].sigmoid() if rest else scores * known

    def _yolox(
        self, sizes: Any, classes: Tensor, deltas: Tensor, objectness: Tensor
    ) -> tuple[Tensor, Tensor]:
        priors = self.head.prior_generator.grid_priors(
            sizes, dtype=deltas.dtype, device='cpu', with_stride=True
        )
        boxes: Tensor = self.head._bbox_decode(torch.cat(priors), deltas[None])[0]
        scores = classes.sigmoid()
        # A box has its best class alone.
        best = (scores == scores.max(dim=1, keepdim=True).values).to(scores.dtype)
        scores = scores * best * objectness.sigmoid()
        return boxes, scores * (scores >= self._threshold).to(scores.dtype)

    def _is_large_enough(self, boxes: Tensor) -> Tensor:
        least = self.head.test_cfg.get('min_bbox_size', -1)
        if least < 0 or isinstance(self.head, YOLOXHead):
            return boxes.new_ones(len(boxes), 1)
        sides = boxes[:, 2:] - boxes[:, :2]
        large: Tensor = (sides > least).all(dim=1, keepdim=True)
        return large.to(boxes.dtype)


def _flat(levels: Any, channels: int) -> Tensor:
    """Return ``(N, channels)`` of all levels' ``(1, anchors * channels, h, w)``, cell by cell."""
    return torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in levels])
