"""ChannelsLastHook: the student's convolutions in the memory layout that is fastest."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn.parallel import DistributedDataParallel

from mmcompose.engine.unwrapped import unwrapped
from mmcompose.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Lay the weights of convolutions out as ``torch.channels_last`` where a CPU computes them.

    Depthwise convolutions on a CPU are much faster that way; numbers differ by rounding alone.
    See PyTorch's guide to channels-last memory. A model on a GPU is left alone: on an H200 a step
    of a YOLOX-Nano took 0.40 s in that layout and 0.25 s without.
    """

    def before_train(self, runner: Runner) -> None:
        """Lay the weights out anew: in place, so that the optimizer keeps them."""
        if any(weight.device.type != 'cpu' for weight in runner.model.parameters()):
            return
        runner.model.to(memory_format=torch.channels_last)
        if isinstance(runner.model, DistributedDataParallel):
            # It adds gradients up in buckets of the layout that the weights had when it was made:
            # those of other layouts come out of the first step shuffled.
            module = unwrapped(runner.model)
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), module)
            runner._maybe_compile('train_step')
