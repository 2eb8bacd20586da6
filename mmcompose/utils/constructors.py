"""What a class's constructor takes, and whether arguments fit it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

from mmcompose.utils.problem import Problem, check_keys
from mmcompose.utils.types import check_types


def check_arguments(
    cls: type,
    arguments: Iterable[str],
    key: str,
    partly: bool = False,
    also: Iterable[str] = (),
) -> list[Problem]:
    """Return a problem for each argument that a class does not take, or misses.

    Args:
        cls: Anyone's; one that takes anything by ``**kwargs`` has to look itself.
        arguments: The names of those that are given.
        key: Where they stand in the user's config, for messages.
        partly: Whether others give it arguments as well, so that none is missing. Defaults to
            False.
        also: Further names that may stand there. Defaults to none.
    """
    parameters = _parameters(cls)
    if parameters is None:
        return []
    required = [p.name for p in parameters if p.default is p.empty and not partly]
    return check_keys(key, arguments, [*(p.name for p in parameters), *also], required)


def check_values(cls: type, arguments: Mapping[str, Any], key: str) -> list[Problem]:
    """Return a problem for each argument of another type than a class is annotated with.

    Args:
        cls: Anyone's; arguments that it does not annotate are taken as they come.
        arguments: Those that are given.
        key: Where they stand in the user's config, for messages.
    """
    return check_types(key, arguments, constructor_types(cls))


def constructor_parameters(cls: Any) -> dict[str, inspect.Parameter]:
    """Return what a class takes by name: its constructor, and those that its ``**kwargs`` reach.

    Args:
        cls: The class, or a function that makes something.
    """
    taken: dict[str, inspect.Parameter] = {}
    for each in reversed(_constructed_by(cls)):
        taken |= inspect.signature(each).parameters
    unnamed = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {name: each for name, each in taken.items() if each.kind not in unnamed}


def constructor_types(cls: type) -> dict[str, Any]:
    """Return the types of a class's arguments, or none where they name what is not imported."""
    types: dict[str, Any] = {}
    try:
        for above in reversed(_constructed_by(cls)):
            types |= get_type_hints(vars(above)['__init__'], include_extras=True)
    except NameError:
        return {}
    return types


def _constructed_by(cls: Any) -> list[Any]:
    """Return the classes whose constructors see the arguments: ``**kwargs`` go on to the next."""
    if not inspect.isclass(cls):
        return [cls]
    seen: list[Any] = []
    for above in inspect.getmro(cls):
        if '__init__' in vars(above):
            seen.append(above)
            parameters = inspect.signature(above).parameters.values()
            if all(each.kind is not each.VAR_KEYWORD for each in parameters):
                break
    return seen


def _parameters(cls: type) -> list[inspect.Parameter] | None:
    """Return what a class takes by name; None if anything, and it has to look itself."""
    constructed_by = _constructed_by(cls)
    if constructed_by[-1] is object:
        return None if len(constructed_by) > 1 else []
    return list(constructor_parameters(cls).values())
