"""Set the number of classes wherever a model's config states or defaults it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.registry import Registry

from mmcompose.utils import problem

# Parts whose number of classes is not the student's: region proposals are class-agnostic,
# stuff is no thing, who somebody is no class, and a backbone's are those of its pre-training.
_OTHER_CLASSES = ('rpn_head', 'backbone', 'neck', 'semantic_head', 'reid', 'data_preprocessor')


def set_num_classes(model: Any, num_classes: int, registry: Registry) -> None:
    """Write the number of classes into every part of a model that takes one.

    By constructor signature and not by key: a count hides in defaults, and beside other names
    (``num_things_classes``, ``class_weight`` lists).

    Args:
        model: The ``model`` of an MMDet config; changed in place.
        num_classes: The student's.
        registry: Where the types are looked up.
    """
    for part in _parts(model):
        cls = class_of(part, registry)
        for name in ('num_classes', 'num_things_classes'):
            if _takes(cls, name):
                _resize_class_weights(part, _stated(part, cls, name), num_classes)
                part[name] = num_classes


def class_of(config: Mapping[str, Any], registry: Registry) -> Any:
    """Return the class that a config's ``type`` names or is, or None where there is none."""
    kind = config['type']
    return registry.get(kind) if isinstance(kind, str) else kind


def type_name(config: Mapping[str, Any]) -> str:
    """Return the name of a config's ``type`` without its scope."""
    kind = config['type']
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__


def nameless(key: str, value: Any, kind: str) -> list[str]:
    """Return a problem if a value is no dict with the name of a type, or with a class.

    Args:
        key: Where it stands in the config, for messages.
        value: The value.
        kind: What is to be built of it.
    """
    named = value.get('type') if isinstance(value, Mapping) else None
    if isinstance(named, str) or callable(named):
        return []
    return [problem(key, value, f'is no dict of a {kind}: it names no type')]


def metrics_of(evaluator: Any) -> list[Any]:
    """Return the metrics of an evaluator as a config gives it: one, several, or an Evaluator's."""
    if isinstance(evaluator, (list, tuple)):
        return list(evaluator)
    if isinstance(evaluator, Mapping) and evaluator.get('metrics') is not None:
        return metrics_of(evaluator['metrics'])
    return [evaluator]


def _parts(config: Any) -> Iterator[Any]:
    """Yield every dict with a ``type`` below ``config`` whose classes are the student's."""
    if isinstance(config, Mapping):
        if 'type' in config:
            yield config
        for key, value in list(config.items()):
            if key not in _OTHER_CLASSES:
                yield from _parts(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from _parts(value)


def _takes(cls: Any, name: str) -> bool:
    """Return whether a constructor, or one that its ``**kwargs`` reach, takes ``name``."""
    for base in inspect.getmro(cls) if inspect.isclass(cls) else (cls,):
        own = vars(base).get('__init__') if inspect.isclass(base) else base
        if own is None:
            continue
        parameters = inspect.signature(own).parameters
        if name in parameters:
            return True
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return False
    return False


def _stated(part: Mapping[str, Any], cls: Any, name: str) -> int | None:
    if name in part:
        return int(part[name])
    for base in inspect.getmro(cls):
        own = vars(base).get('__init__')
        if own is not None and name in inspect.signature(own).parameters:
            default = inspect.signature(own).parameters[name].default
            return default if isinstance(default, int) else None
    return None


def _resize_class_weights(part: Any, old: int | None, new: int) -> None:
    """Stretch ``class_weight`` lists of a part's losses; a last entry may be the background."""
    for value in part.values():
        weights = value.get('class_weight') if isinstance(value, Mapping) else None
        if isinstance(weights, (list, tuple)) and old is not None and len(weights) >= old > 0:
            rest = list(weights[old:])
            value['class_weight'] = [weights[0]] * new + rest
