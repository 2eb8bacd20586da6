"""Say at start-up where a student that learns masks would be given none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from mmcompose.composition import Composition
from mmcompose.registry import type_name
from mmcompose.utils import UserError, fault


def check_mask_support(config: Config, composition: Composition) -> None:
    """Check that pseudo-labels can have the masks that training pipelines load.

    Args:
        config: Resolved; ground truth in its training set is not looked at.
        composition: Whose teachers label.

    Raises:
        UserError: If no teacher gives masks, or they would be loaded as polygons.
    """
    dataset = (config.get('train_dataloader') or {}).get('dataset')
    pipelines = list(_pseudo_labelled(dataset, 'train_dataloader.dataset'))
    if pipelines:
        pipelines += [
            (f'custom_hooks[{number}].switch_pipeline', hook['switch_pipeline'])
            for number, hook in enumerate(config.get('custom_hooks') or ())
            if hook.get('switch_pipeline')
        ]
    for key, steps in pipelines:
        for number, step in enumerate(steps):
            if type_name(step) == 'LoadAnnotations' and step.get('with_mask'):
                _check(f'{key}[{number}]', step, composition)


def _check(key: str, step: Mapping[str, Any], composition: Composition) -> None:
    if not step.get('poly2mask', True):
        raise UserError(
            fault(
                f'{key}.poly2mask',
                'False reads polygons alone, and the masks of pseudo-labels are bitmaps; set True',
            )
        )
    teachers = composition.teachers
    if not any(teacher.may_give_masks for teacher in teachers.values()):
        kinds = ', '.join(f'{name} ({type(each).__name__})' for name, each in teachers.items())
        raise UserError(
            fault(
                f'{key}.with_mask',
                f'True loads masks, but no teacher gives any: {kinds}; name one '
                'that does, or train a student of boxes alone',
            )
        )


def _pseudo_labelled(dataset: Any, key: str) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the pipelines that read pseudo-labels, and where each stands."""
    if not isinstance(dataset, Mapping):
        return
    if 'composition' in dataset:
        # The wrapped dataset's pipeline moves to the wrapper that has none.
        inner = dataset.get('dataset') or {}
        own = dataset.get('pipeline') is not None
        where = f'{key}.pipeline' if own else f'{key}.dataset.pipeline'
        yield where, (dataset if own else inner).get('pipeline') or ()
        return
    yield from _pseudo_labelled(dataset.get('dataset'), f'{key}.dataset')
    for number, part in enumerate(dataset.get('datasets', ())):
        yield from _pseudo_labelled(part, f'{key}.datasets[{number}]')
