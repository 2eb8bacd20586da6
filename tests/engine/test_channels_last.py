"""Tests of ChannelsLastHook: another memory layout, the same training."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from torch import Tensor, nn

from mmcompose.engine.hooks import ChannelsLastHook


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ReLU(),
        nn.Conv2d(8, 4, 3),
    )


def _trained(hook: bool) -> tuple[nn.Module, Tensor]:
    """Take two steps of a depthwise network, whose optimizer is older than the hook."""
    model = _network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if hook:
        ChannelsLastHook().before_train(SimpleNamespace(model=model))
    images = torch.rand(2, 3, 16, 16)
    for _ in range(2):
        loss = model(images).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, model(images)


def test_the_student_computes_in_channels_last() -> None:
    model, output = _trained(hook=True)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert output.is_contiguous(memory_format=torch.channels_last)


def test_a_model_that_is_not_on_the_cpu_is_left_alone() -> None:
    model = _network().to('meta')
    ChannelsLastHook().before_train(SimpleNamespace(model=model))
    assert model[0].weight.is_contiguous()
    assert not model[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_training_goes_the_same_way() -> None:
    plain, with_hook = _trained(hook=False), _trained(hook=True)
    torch.testing.assert_close(with_hook[1], plain[1], rtol=1e-4, atol=1e-5)
    for name, weight in plain[0].state_dict().items():
        assert with_hook[0].state_dict()[name].detach().numpy() == pytest.approx(
            weight.detach().numpy(), rel=1e-3, abs=1e-5
        )


def first_gradients(hook: bool) -> list[list[float]]:
    """Return the gradients of a first step in which several processes take part, this one of them.

    Each sees other pictures; see ``test_label_refresh_distributed.py``.
    """

    def wrap(_: object, module: nn.Module) -> nn.Module:
        return MMDistributedDataParallel(module, broadcast_buffers=False)

    runner = SimpleNamespace(model=wrap(None, _network()), wrap_model=wrap, cfg={})
    runner._maybe_compile = lambda target: None
    if hook:
        ChannelsLastHook().before_train(runner)
    torch.manual_seed(torch.distributed.get_rank())
    images = torch.rand(2, 3, 16, 16)
    runner.model(images).square().mean().backward()
    return [each.grad.flatten().tolist() for each in runner.model.module.parameters()]
