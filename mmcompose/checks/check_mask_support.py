"""Refuse a student that learns masks where no teacher gives any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmdet.registry import TRANSFORMS
from mmengine.config import Config

from mmcompose.composition import Composition
from mmcompose.datasets import inner_datasets, pipelines
from mmcompose.registry import is_kind
from mmcompose.utils import UserError, problem


def check_mask_support(config: Config, composition: Composition) -> None:
    """Check that pseudo-labels can have the masks that training pipelines load.

    Args:
        config: Resolved; ground truth in its training set is not looked at.
        composition: Whose teachers label.

    Raises:
        UserError: If no teacher gives masks, or they would be loaded as polygons.
    """
    dataset = (config.get('train_dataloader') or {}).get('dataset')
    found = inner_datasets('train_dataloader.dataset', dataset)
    by_key: dict[str, Any] = {}
    for key, each in found:
        if 'composition' in each:
            by_key |= pipelines(key, each)
    if by_key:
        by_key |= {
            f'custom_hooks[{number}].switch_pipeline': hook['switch_pipeline']
            for number, hook in enumerate(config.get('custom_hooks') or ())
            if hook.get('switch_pipeline')
        }
    for key, steps in by_key.items():
        for number, step in enumerate(steps):
            if is_kind(step, 'LoadAnnotations', TRANSFORMS) and step.get('with_mask'):
                _check(f'{key}[{number}]', step, composition)


def _check(key: str, step: Mapping[str, Any], composition: Composition) -> None:
    if not step.get('poly2mask', True):
        raise UserError(
            problem(
                f'{key}.poly2mask',
                False,
                'reads polygons alone, and the masks of pseudo-labels are bitmaps; set True',
            )
        )
    teachers = composition.teachers
    if not any(teacher.may_give_masks for teacher in teachers.values()):
        kinds = ', '.join(f'{name} ({type(each).__name__})' for name, each in teachers.items())
        raise UserError(
            problem(
                f'{key}.with_mask',
                True,
                f'loads masks, but no teacher gives any: {kinds}; name one '
                'that does, or train a student of boxes alone',
            )
        )
