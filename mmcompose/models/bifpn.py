"""BiFPN: EfficientDet's weighted bi-directional feature pyramid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmcompose.models.separable_conv import SeparableConv, build_norm, half_size
from mmcompose.registry import MODELS

# Added to the sum of weights, as published.
_EPSILON = 1e-4
# What TensorFlow calls variance scaling; biases 0.
INIT: dict[str, Any] = dict(
    type='Kaiming', layer='Conv2d', a=1, mode='fan_in', nonlinearity='leaky_relu'
)


@MODELS.register_module()
class BiFPN(BaseModule):
    """Fuses a backbone's levels with coarser ones, down and up again, several times.

    Source: Tan, Pang, Le, "EfficientDet: Scalable and Efficient Object Detection", CVPR 2020,
    arXiv 1911.09070, and its implementation in TensorFlow (google/automl).

    Args:
        in_channels: Channels of the backbone's levels, each of half the size of the one before.
        out_channels: Channels of every level of the output.
        num_cells: How often to go down and up.
        num_outs: Levels of the output; each beyond the backbone's halves the size. Defaults to 5.
        weighted: Whether levels are fused by learned weights ("fast normalised fusion"); False
            adds them up, as D6 and D7 do. Defaults to True.
        norm_cfg: The normalisation. Defaults to the published BatchNorm.
        init_cfg: How weights start. Defaults to a normal distribution scaled by the fan-in.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_cells: int,
        num_outs: int = 5,
        weighted: bool = True,
        norm_cfg: Mapping[str, Any] | None = None,
        init_cfg: Any = INIT,
    ) -> None:
        super().__init__(init_cfg)
        num_extra = num_outs - len(in_channels)
        assert num_extra >= 0, f'{len(in_channels)} levels go in, and only {num_outs} come out'
        # The first coarser level comes of the backbone's last, and each other of the one before.
        channels = [*in_channels, *[out_channels] * num_extra]
        self.extra = nn.ModuleList(
            _projection(channels[level - 1], out_channels, norm_cfg)
            for level in range(len(in_channels), num_outs)
        )
        self.cells = nn.ModuleList()
        for _ in range(num_cells):
            self.cells.append(BiFPNCell(channels, out_channels, weighted, norm_cfg))
            channels = [out_channels] * num_outs

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Fuse the backbone's levels, finest first: ``(N, C, H, W)`` each."""
        features = list(inputs)
        for projection in self.extra:
            features.append(half_size(projection(features[-1])))
        for cell in self.cells:
            features = cell(features)
        return tuple(features)


class BiFPNCell(nn.Module):
    """Once down, from the coarsest level to the finest, and up again.

    Args:
        in_channels: Channels of every level that goes in.
        out_channels: Channels of every level that comes out.
        weighted: See :class:`BiFPN`.
        norm_cfg: See :class:`BiFPN`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        weighted: bool,
        norm_cfg: Mapping[str, Any] | None,
    ) -> None:
        super().__init__()
        self.num_levels = len(in_channels)
        self.edges = fusions(self.num_levels)
        channels = [*in_channels, *[out_channels] * len(self.edges)]
        self.nodes = nn.ModuleList(
            FusionNode([channels[source] for source in sources], out_channels, weighted, norm_cfg)
            for _, sources in self.edges
        )

    def forward(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Fuse levels, finest first: ``(N, C, H, W)`` each."""
        features = list(inputs)
        for node, (level, sources) in zip(self.nodes, self.edges, strict=True):
            size = inputs[level].shape[-2:]
            features.append(node([features[source] for source in sources], size))
        # The finest level is done when the way up begins.
        return features[-self.num_levels :]


class FusionNode(nn.Module):
    """Brings features of several levels to one size and channel count, and adds them.

    Args:
        in_channels: Channels of each.
        out_channels: Channels of the sum; features that have others are projected.
        weighted: See :class:`BiFPN`.
        norm_cfg: See :class:`BiFPN`.
    """

    weights: nn.Parameter | None

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        weighted: bool,
        norm_cfg: Mapping[str, Any] | None,
    ) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            _projection(channels, out_channels, norm_cfg) for channels in in_channels
        )
        weights = nn.Parameter(torch.ones(len(in_channels))) if weighted else None
        self.register_parameter('weights', weights)
        self.activation = nn.SiLU()
        self.conv = SeparableConv(out_channels, out_channels)
        self.norm = build_norm(norm_cfg, out_channels)

    def forward(self, inputs: Sequence[Tensor], size: torch.Size) -> Tensor:
        """Fuse ``(N, C, H, W)`` of any sizes into one of ``size``."""
        features = [
            _resize(projection(feature), size)
            for projection, feature in zip(self.projections, inputs, strict=True)
        ]
        if self.weights is not None:
            weights = self.weights.relu()
            weights = weights / (weights.sum() + _EPSILON)
            features = [feature * weight for feature, weight in zip(features, weights, strict=True)]
        fused = torch.stack(features).sum(0)
        normed: Tensor = self.norm(self.conv(self.activation(fused)))
        return normed


def fusions(num_levels: int) -> list[tuple[int, tuple[int, ...]]]:
    """Return a cell's graph: for each node in order its level and what it fuses.

    Args:
        num_levels: How many levels go in; they are numbered from the finest, and the nodes go on
            with the numbering.
    """
    last = list(range(num_levels))
    nodes: list[tuple[int, tuple[int, ...]]] = []
    for level in reversed(range(num_levels - 1)):
        nodes.append((level, (level, last[level + 1])))
        last[level] = num_levels + len(nodes) - 1
    for level in range(1, num_levels):
        # The coarsest level has no node on the way down.
        own = (level,) if level == num_levels - 1 else (level, last[level])
        nodes.append((level, (*own, last[level - 1])))
        last[level] = num_levels + len(nodes) - 1
    return nodes


def _projection(
    in_channels: int, out_channels: int, norm_cfg: Mapping[str, Any] | None
) -> nn.Module:
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1), build_norm(norm_cfg, out_channels)
    )


def _resize(features: Tensor, size: torch.Size) -> Tensor:
    """Return features of the next coarser or finer level at ``size``."""
    if features.shape[-2:] == size:
        return features
    if features.shape[-2] > size[0] or features.shape[-1] > size[1]:
        return half_size(features)
    return nn.functional.interpolate(features, size=tuple(size), mode='nearest')
