"""Set the number of classes wherever a model's config states or defaults it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry

from mmcompose.registry import class_of
from mmcompose.utils import UserError, constructor_parameters, problem
from mmcompose.utils.config_tree import walk

# Parts whose number of classes is not the student's: region proposals are class-agnostic,
# stuff is no thing, who somebody is no class, and a backbone's are those of its pre-training.
_OTHER_CLASSES = ('rpn_head', 'backbone', 'neck', 'semantic_head', 'reid', 'data_preprocessor')


def set_num_classes(model: Any, num_classes: int, registry: Registry) -> None:
    """Write the number of classes into every part of a model that takes one.

    By constructor signature and not by key: a count hides in defaults, and beside other names
    (``num_things_classes``, ``class_weight`` lists). A list beside the student's own number stays.

    Args:
        model: The ``model`` of an MMDet config; changed in place.
        num_classes: The student's.
        registry: Where the types are looked up.

    Raises:
        UserError: If a list of weights by class is of other classes, and they differ.
    """
    for key, part in walk(model, 'model', lambda name: name not in _OTHER_CLASSES):
        cls = class_of(part, registry) if 'type' in part else None
        taken = {} if cls is None else constructor_parameters(cls)
        for name in ('num_classes', 'num_things_classes'):
            if name in taken:
                old = part.get(name, taken[name].default)
                if old != num_classes:
                    _resize_class_weights(part, key, old, num_classes)
                part[name] = num_classes


def _resize_class_weights(part: Any, key: str, old: Any, new: int) -> None:
    """Stretch ``class_weight`` lists of a part's losses; a last entry may be the background."""
    for name, value in part.items():
        weights = value.get('class_weight') if isinstance(value, Mapping) else None
        # A head without a default has no number to go by.
        if isinstance(weights, (list, tuple)) and isinstance(old, int) and len(weights) >= old > 0:
            first, *others = weights[:old]
            if any(each != first for each in others):
                expected = (
                    f'has weights of {old} classes, and the student has {new}; give one for each '
                    f'of its classes, and {key}.num_classes={new}'
                )
                raise UserError(problem(f'{key}.{name}.class_weight', list(weights), expected))
            value['class_weight'] = [first] * new + list(weights[old:])
