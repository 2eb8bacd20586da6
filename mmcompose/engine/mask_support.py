"""Say at start-up where a student that learns masks would be given none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmcompose.composition import Composition
from mmcompose.engine.class_counts import type_name
from mmcompose.utils import UserError


def check_mask_support(dataset: Mapping[str, Any], composition: Composition) -> None:
    """Check that pseudo-labels can have the masks that a training set loads.

    Args:
        dataset: A resolved training set's config; ground truth in it is not looked at.
        composition: Whose teachers label.

    Raises:
        UserError: If no teacher gives masks, or they would be loaded as polygons.
    """
    for key, step in _pseudo_labelled_steps(dataset, 'dataset'):
        if not step.get('with_mask'):
            continue
        if not step.get('poly2mask', True):
            raise UserError(
                f'{key}.poly2mask: False reads polygons alone, and the masks of pseudo-labels are '
                'bitmaps; set True'
            )
        teachers = composition.teachers
        if not any(teacher.may_give_masks for teacher in teachers.values()):
            kinds = ', '.join(f'{name} ({type(each).__name__})' for name, each in teachers.items())
            raise UserError(
                f'{key}.with_mask: True loads masks, but no teacher gives any: {kinds}; name one '
                'that does, or train a student of boxes alone'
            )


def _pseudo_labelled_steps(dataset: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each ``LoadAnnotations`` that reads pseudo-labels, and where it stands."""
    if not isinstance(dataset, Mapping):
        return
    if 'composition' in dataset:
        inner = dataset.get('dataset') or {}
        # The wrapped dataset's pipeline moves to the wrapper.
        where, steps = (
            (f'{key}.pipeline', dataset['pipeline'])
            if dataset.get('pipeline') is not None
            else (f'{key}.dataset.pipeline', inner.get('pipeline') or ())
        )
        for number, step in enumerate(steps):
            if type_name(step) == 'LoadAnnotations':
                yield f'{where}[{number}]', step
        return
    yield from _pseudo_labelled_steps(dataset.get('dataset'), f'{key}.dataset')
    for number, part in enumerate(dataset.get('datasets', ())):
        yield from _pseudo_labelled_steps(part, f'{key}.datasets[{number}]')
