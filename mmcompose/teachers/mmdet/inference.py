"""A model's config without what training alone needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmcompose.registry import type_name
from mmcompose.teachers.mmdet.config import read_config

# What BoxInst compares colors by, while it trains.
_OF_COLORS = (
    'mask_stride',
    'pairwise_size',
    'pairwise_dilation',
    'pairwise_color_thresh',
    'bottom_pixels_removed',
)


def for_inference(model: Any) -> Any:
    """Return a plain copy of a model config that can be built wherever it only has to predict.

    A checkpoint holds every weight: what training began with is not needed, and is often a URL.
    Nor are the packages and the process groups that training alone needs.

    Args:
        model: The config of a model, or of a part of one.
    """
    if isinstance(model, (list, tuple)):
        # Some modules compare what they are given with a tuple.
        return type(model)(for_inference(item) for item in model)
    if not isinstance(model, Mapping):
        return model
    plain = {key: for_inference(value) for key, value in model.items()}
    _forget_weights(plain)
    _forget_training(plain)
    return plain


def _forget_weights(plain: dict[str, Any]) -> None:
    init = plain.get('init_cfg')
    if isinstance(init, Mapping) and ('checkpoint' in init or _is_pretrained(init)):
        plain['init_cfg'] = None
    # A file's name of MMDet's own backbones; of timm's, whether to fetch one.
    if plain.get('pretrained'):
        plain['pretrained'] = False if plain['pretrained'] is True else None
    # Distillation detectors build the teacher they learned from, though they never use it again.
    if isinstance(plain.get('teacher_config'), str):
        plain['teacher_config'] = _installed_config(plain['teacher_config'])
    if 'teacher_ckpt' in plain:
        plain['teacher_ckpt'] = None


def _forget_training(plain: dict[str, Any]) -> None:
    # MMCV's own cannot be built outside a distributed run.
    if plain.get('type') == 'MMSyncBN':
        plain['type'] = 'BN'
    # CrowdDet names torchvision's RoIAlign; MMCV's own is the same (Detectron2's) algorithm.
    if plain.get('use_torchvision'):
        plain['use_torchvision'] = False
    # Saves memory in training alone, but needs fairscale.
    if 'num_cp' in plain:
        plain['num_cp'] = 0
    # Needs scikit-image, for the colors.
    if plain.get('type') == 'BoxInstDataPreprocessor':
        plain['type'] = 'DetDataPreprocessor'
        for name in _OF_COLORS:
            plain.pop(name, None)


def _is_pretrained(init: Mapping[str, Any]) -> bool:
    return 'type' in init and type_name(init) == 'Pretrained'


def _installed_config(path: str) -> Any:
    """Return the model of a config that MMDet's configs name relative to MMDet's own folder."""
    if Path(path).is_file():
        read = Config.fromfile(path)
    else:
        read = read_config(f'mmdet::{path.removeprefix("configs/")}')
    return {'model': for_inference(read.model)}
