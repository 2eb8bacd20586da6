"""From an MMDetection config and weights to a model that is sure to be the one trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm

from mmcompose.teachers.mmdet.config import scope_of
from mmcompose.teachers.mmdet.inference import for_inference
from mmcompose.utils import UserError, fault, first_line, problem


def build_model(config: Config, extra: Mapping[str, Any] | None = None) -> torch.nn.Module:
    """Build a config's model without downloading what its training started from.

    Args:
        config: A whole config, read.
        extra: Changes to its ``model``. Defaults to none.

    Raises:
        UserError: If the model needs a package that is missing.
    """
    model = for_inference({**config.model, **(extra or {})})
    try:
        with scope_of(config):
            built: torch.nn.Module = MODELS.build(Config({'model': model}).model)
    except (ImportError, KeyError, RuntimeError, TypeError, OSError) as error:
        raise UserError(
            fault('config', f'its model cannot be built: {first_line(error)}')
        ) from error
    let_decode(built)
    return revert_sync_batchnorm(built)  # type: ignore[no-any-return]


def let_decode(model: torch.nn.Module) -> None:
    """Let all dense heads decode: MMDet 3.3 reads the loss of each, and SSD's have none."""
    for module in model.modules():
        if isinstance(module, BaseDenseHead) and not hasattr(module, 'loss_cls'):
            module.loss_cls = None


def load_weights(model: torch.nn.Module, weights: Mapping[str, Any], checkpoint: str) -> None:
    """Load weights of which every one must fit.

    Raises:
        UserError: If one has another shape than the model's, or is missing.
    """
    if all(name.startswith('module.') for name in weights):
        # Saved from inside DistributedDataParallel.
        weights = {name.removeprefix('module.'): tensor for name, tensor in weights.items()}
    wrong = [
        f'{name} is {tuple(weights[name].shape)}, the config makes it {tuple(tensor.shape)}'
        for name, tensor in model.state_dict().items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    # MMDet's modules rename weights of older versions while they load, so missing ones are
    # known only afterwards.
    absent = [] if wrong else model.load_state_dict(weights, strict=False).missing_keys
    missing = [f'{name} is missing' for name in absent if 'num_batches_tracked' not in name]
    if wrong or missing:
        raise UserError(
            problem(
                'checkpoint',
                checkpoint,
                f'does not fit the config: {(wrong + missing)[0]} '
                f'({len(wrong) + len(missing)} weights differ)',
            )
        )


def check_class_count(model: torch.nn.Module, classes: Sequence[str]) -> None:
    """Check that the model's heads have as many classes as there are names.

    Raises:
        UserError: If none of them does.
    """
    counts = {
        getattr(module, attribute)
        for name, module in model.named_modules()
        for attribute in ('num_classes', 'num_things_classes')
        if isinstance(getattr(module, attribute, None), int) and 'rpn' not in name
    }
    if counts and len(classes) not in counts:
        counted = ' or '.join(map(str, sorted(counts)))
        raise UserError(
            fault('classes', f'{len(classes)} names, but the model has {counted} classes')
        )
