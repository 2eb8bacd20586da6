"""Backbone and neck, where a detector's time goes, in 16 bits or compiled."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from mmcompose.utils import UserError, check_keys, problem


def halve_features(model: Any, device: str) -> None:
    """Let a detector compute its features in 16 bits: float16 on a GPU, bfloat16 on the CPU.

    The heads stay in 32: coordinates of several hundred pixels have no place in 16 bits, nor
    have MMCV's operators.
    """
    kind = torch.device(device).type
    precision = torch.bfloat16 if kind == 'cpu' else torch.float16
    extract = model.extract_feat

    def extract_feat(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(kind, precision):
            return _as_float32(extract(*args, **kwargs))

    model.extract_feat = extract_feat


def check_compile_options(options: bool | Mapping[str, Any]) -> bool | Mapping[str, Any]:
    """Return what ``torch.compile`` shall be given.

    Raises:
        UserError: If it takes no such argument, or has no such backend.
    """
    if not isinstance(options, Mapping):
        return options
    known = [name for name in inspect.signature(torch.compile).parameters if name != 'model']
    problems = check_keys('torch_compile', options, known)
    backend = options.get('backend')
    if isinstance(backend, str):
        backends = torch.compiler.list_backends(exclude_tags=())
        if backend not in backends:
            expected = 'is no backend of torch.compile'
            problems.append(problem('torch_compile.backend', backend, expected, backends))
    if problems:
        raise UserError(*problems)
    return options


def compile_features(model: torch.nn.Module, options: bool | Mapping[str, Any]) -> None:
    """Compile a detector's backbone and neck.

    Heads branch on what they find: compiling them costs more than it brings.

    Args:
        model: The detector.
        options: Arguments of ``torch.compile``, or True for none.
    """
    for name in ('backbone', 'neck'):
        part = getattr(model, name, None)
        if isinstance(part, torch.nn.Module):
            part.compile(**(options if isinstance(options, Mapping) else {}))


def _as_float32(features: Any) -> Any:
    if isinstance(features, (list, tuple)):
        return type(features)(_as_float32(feature) for feature in features)
    return features.float() if isinstance(features, torch.Tensor) else features
