"""Set the number of classes wherever a model's config states or defaults it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry

from mmcompose.registry import class_of
from mmcompose.utils import constructor_parameters
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
    """
    for _, part in walk(model, 'model', lambda name: name not in _OTHER_CLASSES):
        cls = class_of(part, registry) if 'type' in part else None
        taken = {} if cls is None else constructor_parameters(cls)
        for name in ('num_classes', 'num_things_classes'):
            if name in taken:
                old = part.get(name, taken[name].default)
                if old != num_classes:
                    _resize_class_weights(part, old, num_classes)
                part[name] = num_classes


def _resize_class_weights(part: Any, old: Any, new: int) -> None:
    """Stretch ``class_weight`` lists of a part's losses; a last entry may be the background."""
    for value in part.values():
        weights = value.get('class_weight') if isinstance(value, Mapping) else None
        # A head without a default has no number to go by.
        if isinstance(weights, (list, tuple)) and isinstance(old, int) and len(weights) >= old > 0:
            rest = list(weights[old:])
            value['class_weight'] = [weights[0]] * new + rest
