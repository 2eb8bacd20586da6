"""EfficientDet's head and anchors."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.models import AnchorHead
from mmdet.models.task_modules import AnchorGenerator
from mmengine.model import bias_init_with_prob
from torch import Tensor, nn

from mmcompose.models.bifpn import INIT
from mmcompose.models.separable_conv import SeparableConv, build_norm
from mmcompose.registry import MODELS, TASK_UTILS


@TASK_UTILS.register_module()
class EfficientDetAnchorGenerator(AnchorGenerator):
    """The anchors that the published models were trained with, in their order.

    Anchors of unequal sides are 1.4 by 0.7 times their scale where the paper's ratio of 2 and
    MMDetection's anchors would have √2 by √½; scales go before ratios. Centres lie in the middle
    of a cell.

    Args:
        strides: Pixels between the cells of each level. Defaults to those of levels 3 to 7.
        anchor_scale: An anchor's side, in strides. Defaults to 4; D7 has 5.
        scales_per_octave: Anchor sizes between one level and the next. Defaults to 3.
        shapes: Width and height of each anchor, relative to its scale. Defaults to the published.
    """

    def __init__(
        self,
        strides: Sequence[int] = (8, 16, 32, 64, 128),
        anchor_scale: float = 4.0,
        scales_per_octave: int = 3,
        shapes: Sequence[tuple[float, float]] = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4)),
    ) -> None:
        # Read by the parent's constructor.
        self.shapes = tuple(shapes)
        super().__init__(
            strides=list(strides),
            ratios=[height / width for width, height in shapes],
            octave_base_scale=anchor_scale,
            scales_per_octave=scales_per_octave,
            scale_major=False,
            center_offset=0.5,
        )

    def gen_single_level_base_anchors(
        self,
        base_size: float,
        scales: Tensor,
        ratios: Tensor,
        center: tuple[float, float] | None = None,
    ) -> Tensor:
        """Return the anchors of the first cell, ``(scales * shapes, 4)``, xyxy in pixels."""
        sides = base_size * scales[:, None, None] * scales.new_tensor(self.shapes)
        halves = sides.reshape(-1, 2) / 2
        middle = halves.new_tensor(center or (self.center_offset * base_size,) * 2)
        return torch.cat([middle - halves, middle + halves], dim=1)


@MODELS.register_module()
class EfficientDetHead(AnchorHead):
    """Two towers of separable convolutions, shared by all levels; each level its own BatchNorm.

    Source: Tan, Pang, Le, "EfficientDet: Scalable and Efficient Object Detection", CVPR 2020,
    arXiv 1911.09070, and its implementation in TensorFlow (google/automl), whose focal loss and
    Huber loss are the defaults.

    Args:
        num_classes: Classes; the background is none.
        in_channels: Channels of every level.
        stacked_convs: Convolutions in a tower. Defaults to 3.
        num_ins: Levels. Defaults to 5.
        norm_cfg: The normalisation. Defaults to the published BatchNorm.
        anchor_generator: Defaults to :class:`EfficientDetAnchorGenerator`.
        loss_cls: Defaults to the focal loss with gamma 1.5 and alpha 0.25.
        loss_bbox: Defaults to 50 times the mean Huber loss with delta 0.1: the smooth L1
            loss times delta.
        init_cfg: How weights start. Defaults to a normal distribution scaled by the fan-in.
        kwargs: ``bbox_coder``, ``reg_decoded_bbox``, ``train_cfg``, ``test_cfg``; see
            MMDetection's ``AnchorHead``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        stacked_convs: int = 3,
        num_ins: int = 5,
        norm_cfg: Mapping[str, Any] | None = None,
        anchor_generator: Mapping[str, Any] | None = None,
        loss_cls: Mapping[str, Any] | None = None,
        loss_bbox: Mapping[str, Any] | None = None,
        init_cfg: Any = INIT,
        **kwargs: Any,
    ) -> None:
        self.stacked_convs = stacked_convs
        self.num_ins = num_ins
        self.norm_cfg = norm_cfg
        loss_cls = loss_cls or dict(type='FocalLoss', use_sigmoid=True, gamma=1.5, alpha=0.25)
        # A mean over four coordinates there, a sum here.
        loss_bbox = loss_bbox or dict(type='SmoothL1Loss', beta=0.1, loss_weight=50 * 0.1 / 4)
        super().__init__(
            num_classes=num_classes,
            in_channels=in_channels,
            feat_channels=in_channels,
            anchor_generator=anchor_generator or dict(type='mmcompose.EfficientDetAnchorGenerator'),
            loss_cls=loss_cls,
            loss_bbox=loss_bbox,
            init_cfg=copy.deepcopy(init_cfg),
            **kwargs,
        )

    def _init_layers(self) -> None:
        outputs = self.num_base_priors * self.cls_out_channels
        self.cls_tower = _Tower(self, outputs)
        self.reg_tower = _Tower(self, self.num_base_priors * self.bbox_coder.encode_size)

    def init_weights(self) -> None:
        """Start the weights; every class begins as improbable as in RetinaNet."""
        super().init_weights()
        bias = self.cls_tower.predict.pointwise.bias
        assert bias is not None
        nn.init.constant_(bias, bias_init_with_prob(0.01))

    def forward(self, inputs: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return class scores and box deltas of each level.

        Args:
            inputs: ``(N, in_channels, H, W)`` each, finest first.

        Returns:
            ``(N, anchors * num_classes, H, W)`` logits and ``(N, anchors * 4, H, W)`` deltas.
        """
        return self.cls_tower(inputs), self.reg_tower(inputs)


class _Tower(nn.Module):
    """Convolutions and the prediction of one kind of output."""

    def __init__(self, head: EfficientDetHead, out_channels: int) -> None:
        super().__init__()
        channels = head.in_channels
        self.convs = nn.ModuleList(
            SeparableConv(channels, channels) for _ in range(head.stacked_convs)
        )
        self.norms = nn.ModuleList(
            nn.ModuleList(build_norm(head.norm_cfg, channels) for _ in range(head.num_ins))
            for _ in range(head.stacked_convs)
        )
        self.activation = nn.SiLU()
        self.predict = SeparableConv(channels, out_channels)

    def forward(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        outputs = []
        norms: Any
        for level, features in enumerate(inputs):
            for conv, norms in zip(self.convs, self.norms, strict=True):
                features = self.activation(norms[level](conv(features)))
            outputs.append(self.predict(features))
        return outputs
