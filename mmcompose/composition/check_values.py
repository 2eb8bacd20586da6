"""The values of a config's ``composition``, one by one, before any teacher is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
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
    """Make a composition of its config, if nothing in it is wrong.

    Args:
        config: The ``composition`` of a config.
        cls: The class.

    Raises:
        UserError: With a line for each mistake.
    """
    problems, sound = _split_problems(config, constructor_types(cls))
    if not problems:
        return cls(**config)
    mistakes = Mistakes()
    mistakes.add(*problems)
    # What is right may hold further mistakes.
    if sound:
        with mistakes:
            cls(**sound)
    raise UserError(*mistakes.problems)


def plain_values(cls: type, **given: Any) -> dict[str, Any]:
    """Return a composition's values, but its teachers, as plain ones that travel.

    Args:
        cls: The class.
        **given: What its constructor was given.

    Raises:
        UserError: With a line for each mistake.
    """
    if isinstance(given['store'], os.PathLike):
        given['store'] = os.fspath(given['store'])
    types = constructor_types(cls)
    mistakes = Mistakes()
    for name, value in given.items():
        mistakes.add(*_value_problems(name, value, types))
    mistakes.raise_if_any()
    return {
        **given,
        'class_space': dict(given['class_space'] or {}),
        'label_pipeline': [dict(step) for step in given['label_pipeline']],
        'allow': list(given['allow']),
    }


def _split_problems(
    config: Mapping[str, Any], types: Mapping[str, Any]
) -> tuple[list[Problem], dict[str, Any]]:
    """Return the mistakes in a composition's keys and values, and what can be looked into beside.

    Args:
        config: The ``composition`` of a config.
        types: Of its values, by key.

    Returns:
        A problem for each mistake; the values that are right, none where nothing can be made of
        them alone.
    """
    keys = [name for name in types if name != 'return']
    problems = check_keys('composition', config, keys, ['teachers'])
    wrong: set[str] = set()
    for name in config:
        # Teachers are looked at one by one, by what they are.
        if name in keys and name != 'teachers':
            found = _value_problems(name, config[name], types)
            problems += found
            wrong |= {name} if found else set()
    # Steps name classes: without the class space, those would seem to be wrong.
    if 'teachers' not in config or wrong & {'class_space', 'label_pipeline'}:
        return problems, {}
    return problems, {name: config[name] for name in config if name in keys and name not in wrong}


def _value_problems(name: str, value: Any, types: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each mistake in one of a composition's values but its teachers."""
    key = f'composition.{name}'
    problems = check_types('composition', {name: value}, types)
    if not problems and name == 'class_space':
        problems = check_values(ClassSpace, value or {}, key)
    if not problems and name == 'allow':
        problems = check_names(key, value)
    return problems
