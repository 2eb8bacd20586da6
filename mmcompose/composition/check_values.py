"""The values of a config's ``composition``, one by one, before any teacher is opened."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from os import PathLike, fspath
from typing import Any, TypeVar

from mmcompose.class_space import ClassSpace
from mmcompose.utils import (
    Mistakes,
    Problem,
    UserError,
    check_keys,
    check_names,
    check_types,
    check_values,
    constructor_types,
)

T = TypeVar('T')


def make_checked(config: Mapping[str, Any], cls: type[T]) -> T:
    """Make a composition of its config, if it has the right keys; the class checks the values.

    Args:
        config: The ``composition`` of a config.
        cls: The class.

    Raises:
        UserError: With a line for each mistake.
    """
    types = constructor_types(cls)
    keys = [name for name in types if name != 'return']
    mistakes = Mistakes()
    mistakes.add(*check_keys('composition', config, keys, ['teachers']))
    if not mistakes:
        return cls(**config)
    # What is right may hold further mistakes.
    known = {name: config[name] for name in config if name in keys}
    if 'teachers' in known:
        with mistakes:
            cls(**known)
    else:
        for name, value in known.items():
            mistakes.add(*_value_problems(name, value, types))
    raise UserError(*mistakes.problems)


def plain_values(cls: type, teachers: Any, **given: Any) -> dict[str, Any]:
    """Return a composition's values, but its teachers, as plain ones that travel.

    Args:
        cls: The class.
        teachers: Looked at one by one, by what they are; here only beside a wrong value.
        **given: What else its constructor was given.

    Raises:
        UserError: With a line for each mistake.
    """
    if isinstance(given['store'], PathLike):
        given['store'] = fspath(given['store'])
    types = constructor_types(cls)
    problems = {name: _value_problems(name, value, types) for name, value in given.items()}
    wrong = {name for name, found in problems.items() if found}
    if wrong:
        mistakes = Mistakes()
        mistakes.add(*chain.from_iterable(problems.values()))
        # What is right may hold further mistakes. Steps name classes: without the class space,
        # those would seem to be wrong.
        if not wrong & {'class_space', 'label_pipeline'}:
            with mistakes:
                cls(teachers, **{name: given[name] for name in given if name not in wrong})
        raise UserError(*mistakes.problems)
    return {
        **given,
        'class_space': dict(given['class_space'] or {}),
        'label_pipeline': [dict(step) for step in given['label_pipeline']],
        'allow': list(given['allow']),
    }


def _value_problems(name: str, value: Any, types: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each mistake in one of a composition's values but its teachers."""
    key = f'composition.{name}'
    problems = check_types('composition', {name: value}, types)
    if not problems and name == 'class_space':
        problems = check_values(ClassSpace, value or {}, key)
    if not problems and name == 'allow':
        problems = check_names(key, value)
    return problems
