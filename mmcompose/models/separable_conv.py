"""What EfficientDet's neck and head are built of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

# Biases before a normalisation do nothing, but the published models have them.
NORM: dict[str, Any] = dict(type='BN', eps=1e-3, momentum=0.01)


class SeparableConv(nn.Sequential):
    """A depthwise 3 by 3 convolution and a pointwise one, with nothing between.

    Source: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017.

    Args:
        in_channels: Channels of ``(N, in_channels, H, W)``.
        out_channels: Channels of the output, of the same height and width.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)


def build_norm(config: Mapping[str, Any] | None, channels: int) -> nn.Module:
    """Return a normalisation; the published models' BatchNorm if ``config`` is None."""
    layer: nn.Module = build_norm_layer(dict(config or NORM), channels)[1]
    return layer


def half_size(features: Tensor) -> Tensor:
    """Return the 3 by 3 maxima of every second pixel, padded as TensorFlow's ``SAME``.

    Args:
        features: ``(N, C, H, W)``.

    Returns:
        ``(N, C, ceil(H / 2), ceil(W / 2))``.
    """
    height, width = features.shape[-2:]
    # SAME: a pixel after an even length, one on both sides of an odd length.
    padding = (width % 2, 1, height % 2, 1)
    padded = nn.functional.pad(features, padding, value=float('-inf'))
    return nn.functional.max_pool2d(padded, kernel_size=3, stride=2)
