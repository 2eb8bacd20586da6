"""Look up a type that a config names, and the arguments that it gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.registry import Registry

from mmcompose.registry import DATA_SAMPLERS as OWN_DATA_SAMPLERS
from mmcompose.registry import DATASETS as OWN_DATASETS
from mmcompose.registry import HOOKS as OWN_HOOKS
from mmcompose.registry import MODELS as OWN_MODELS
from mmcompose.registry import TRANSFORMS as OWN_TRANSFORMS
from mmcompose.registry import class_of, missing_type, type_name
from mmcompose.utils import Problem, check_arguments, check_values, fault, first_line, problem

# By the names that MMDetection's registries of the same have.
_OWN = {
    'dataset': OWN_DATASETS,
    'model': OWN_MODELS,
    'transform': OWN_TRANSFORMS,
    'hook': OWN_HOOKS,
    'data sampler': OWN_DATA_SAMPLERS,
}
# What a constructor raises for a value that it does not take.
_REFUSALS = (TypeError, ValueError, AssertionError, KeyError)


def type_problems(key: str, config: Any, registry: Registry) -> list[Problem]:
    """Return a problem if a dict names no ``type`` of a registry; see :func:`argument_problems`."""
    if problems := missing_type(key, config, registry.name):
        return problems
    if class_of(config, registry) is not None:
        return []
    inherited = registry.parent.module_dict if registry.parent is not None else ()
    own = (f'mmcompose.{name}' for name in getattr(_OWN.get(registry.name), 'module_dict', ()))
    expected = f'is not a registered {registry.name}; is its module in custom_imports?'
    known = [*registry.module_dict, *inherited, *own]
    return [problem(f'{key}.type', config['type'], expected, known)]


def argument_problems(
    key: str, config: Any, registry: Registry, partly: bool = False
) -> list[Problem]:
    """Return the problems of a dict with a ``type``: no such type, or its arguments.

    Args:
        key: Where it stands in the config, for messages.
        config: The dict.
        registry: Where its type is looked up.
        partly: Whether whoever builds it gives it more arguments. Defaults to False.
    """
    if problems := type_problems(key, config, registry):
        return problems
    cls = class_of(config, registry)
    names = [name for name in config if name not in ('type', '_scope_')]
    return check_arguments(cls, names, key, partly) if isinstance(cls, type) else []


def value_problems(
    key: str, config: Any, registry: Registry, skip: Sequence[str] = ()
) -> list[Problem]:
    """Return those of :func:`argument_problems`, and a problem for each value of a wrong type.

    Args:
        key: Where it stands in the config, for messages.
        config: The dict; whoever builds it may give it more arguments.
        registry: Where its type is looked up.
        skip: Arguments that the builder takes itself.
    """
    own = config
    if isinstance(config, Mapping):
        own = {name: value for name, value in config.items() if name not in skip}
    if problems := argument_problems(key, own, registry, partly=True):
        return problems
    arguments = {name: value for name, value in own.items() if name not in ('type', '_scope_')}
    cls = class_of(own, registry)
    return check_values(cls, arguments, key) if isinstance(cls, type) else []


def build_problems(
    key: str, config: Mapping[str, Any], build: Callable[[dict[str, Any]], Any]
) -> list[Problem]:
    """Return a problem if something cannot be built of a dict, of the argument that is to blame.

    Args:
        key: Where the dict stands in the config, for messages.
        config: The dict, with a ``type``.
        build: Builds it.
    """
    error = _refusal(build, config)
    if error is None:
        return []
    for name, value in config.items():
        rest = {other: each for other, each in config.items() if other != name}
        if name != 'type' and _refusal(build, rest) is None:
            return [problem(f'{key}.{name}', value, f'is refused by {type_name(config)}: {error}')]
    return [fault(key, f'{type_name(config)} cannot be built: {error}')]


def _refusal(build: Callable[[dict[str, Any]], Any], config: Mapping[str, Any]) -> str | None:
    """Return the first line of why a dict cannot be built, or None where it can."""
    try:
        build(dict(config))
    except _REFUSALS as error:
        return first_line(error)
    return None
