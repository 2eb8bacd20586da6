"""The device that a teacher computes on."""

from __future__ import annotations

import torch

from mmcompose.utils import UserError, problem


def torch_device(device: str | None) -> str:
    """Return the device to compute on: the one named, else the current GPU, else the CPU.

    Raises:
        UserError: If torch knows no such device, or it is not there.
    """
    found = torch.cuda.is_available()
    if device is None:
        return 'cuda' if found else 'cpu'
    try:
        named = torch.device(device)
    except RuntimeError as error:
        raise UserError(
            problem('device', device, 'is no device of torch', ['cpu', 'cuda', 'cuda:0'])
        ) from error
    if named.type == 'cuda' and (named.index or 0) >= (torch.cuda.device_count() if found else 0):
        raise UserError(problem('device', device, 'is not there; torch sees no such GPU'))
    if named.type not in ('cpu', 'cuda') and not _is_there(named.type):
        raise UserError(problem('device', device, 'is not there; torch sees no such device'))
    return device


def _is_there(kind: str) -> bool:
    """Return whether a kind of device can compute; a package that adds one adds its module."""
    module = torch.backends.mps if kind == 'mps' else getattr(torch, kind, None)
    return module is not None and bool(getattr(module, 'is_available', lambda: True)())
