"""From an MMDetection config and weights to a model that is sure to be the one trained."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope

from mmcompose.prerequisites import package_folder
from mmcompose.utils import UserError, problem


def read_config(config: str | Config) -> Config:
    """Read a config by path, or by ``package::name``.

    Raises:
        UserError: If there is none, it does not parse, or it imports a package that is missing.
    """
    if isinstance(config, Config):
        return copy.deepcopy(config)
    # MMEngine would call pip for any name that stands there.
    package, names_package, _ = str(config).partition('::')
    if names_package and package_folder(package) is None:
        raise UserError(problem('config', config, f'names {package}, which is not installed'))
    try:
        return get_config(config) if names_package else Config.fromfile(config)
    # A config file is a program: what it does wrong may be anything.
    except Exception as error:
        missing = _missing_package(error)
        expected = f'needs {missing}, which is not installed'
        if missing is None:
            expected = f'cannot be read as a config ({_first_line(error)})'
        raise UserError(problem('config', config, expected)) from error


def scope_of(config: Config) -> Any:
    """Return a context in which unprefixed names mean what the config means by them."""
    return DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmdet')


def build_model(config: Config, extra: Mapping[str, Any] | None = None) -> torch.nn.Module:
    """Build a config's model without downloading what its training started from.

    Args:
        config: A whole config, read.
        extra: Changes to its ``model``. Defaults to none.

    Raises:
        UserError: If the model needs a package that is missing.
    """
    model = without_pretrained({**config.model, **(extra or {})})
    try:
        with scope_of(config):
            built: torch.nn.Module = MODELS.build(Config({'model': model}).model)
    except (ImportError, KeyError, RuntimeError, TypeError, OSError) as error:
        raise UserError(f'config: its model cannot be built: {_first_line(error)}') from error
    for module in built.modules():
        # MMDet 3.3 asks every dense head for its loss when it decodes; SSD's have none.
        if isinstance(module, BaseDenseHead) and not hasattr(module, 'loss_cls'):
            module.loss_cls = None
    return revert_sync_batchnorm(built)  # type: ignore[no-any-return]


def without_pretrained(model: Any) -> Any:
    """Return a plain copy of a model config that starts from no one's weights.

    A checkpoint holds every weight; what training began with is not needed, and is often a URL.
    """
    if isinstance(model, (list, tuple)):
        # Some modules compare what they are given with a tuple.
        return type(model)(without_pretrained(item) for item in model)
    if not isinstance(model, Mapping):
        return model
    plain = {key: without_pretrained(value) for key, value in model.items()}
    init = plain.get('init_cfg')
    if _type_of(init) == 'Pretrained' or (isinstance(init, Mapping) and 'checkpoint' in init):
        plain['init_cfg'] = None
    # A file's name of MMDet's own backbones; of timm's, whether to fetch one.
    if plain.get('pretrained'):
        plain['pretrained'] = False if plain['pretrained'] is True else None
    # MMCV's own cannot be built outside a distributed run.
    if plain.get('type') == 'MMSyncBN':
        plain['type'] = 'BN'
    # CrowdDet asks for torchvision's RoIAlign; MMCV's own is the same (Detectron2's) algorithm.
    if plain.get('use_torchvision'):
        plain['use_torchvision'] = False
    # Saves memory in training alone, but asks for fairscale.
    if 'num_cp' in plain:
        plain['num_cp'] = 0
    # Distillation detectors build the teacher they learned from, though they never ask it again.
    if isinstance(plain.get('teacher_config'), str):
        plain['teacher_config'] = _installed_config(plain['teacher_config'])
    if 'teacher_ckpt' in plain:
        plain['teacher_ckpt'] = None
    return plain


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
            f'checkpoint: {checkpoint!r} does not fit the config: {(wrong + missing)[0]} '
            f'({len(wrong) + len(missing)} weights differ)'
        )


def check_class_count(model: torch.nn.Module, classes: Sequence[str]) -> None:
    """Check that the model's heads tell as many classes apart as there are names.

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
        raise UserError(f'classes: {len(classes)} names, but the model has {counted} classes')


def _type_of(config: Any) -> str:
    kind = config.get('type', '') if isinstance(config, Mapping) else ''
    return kind if isinstance(kind, str) else kind.__name__


def _installed_config(path: str) -> Any:
    """Return the model of a config that MMDet's configs name relative to MMDet's own folder."""
    if Path(path).is_file():
        read = Config.fromfile(path)
    else:
        read = read_config(f'mmdet::{path.removeprefix("configs/")}')
    return {'model': without_pretrained(read.model)}


def _missing_package(error: BaseException | None) -> str | None:
    """Return the package for want of which an import failed, or None."""
    # MMEngine tells of `custom_imports` in words of its own.
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name.partition('.')[0]
        error = error.__cause__ or error.__context__
    return None


def _first_line(error: BaseException) -> str:
    lines = (str(error).strip() or type(error).__name__).splitlines()
    # Some of MMDet's messages are wrapped in their source.
    return ' '.join(lines[0].split())
