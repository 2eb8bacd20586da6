"""Values of a config checked against the annotations of what they are given to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from mmcompose.utils.problem import Problem, problem

_WORDS: dict[Any, str] = {
    NoneType: 'None',
    bool: 'True or False',
    float: 'a number',
    int: 'a whole number',
    str: 'a string',
    PathLike: 'a path',
}


def check_types(key: str, given: Mapping[str, Any], hints: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each value that is not of its annotated type.

    As a config means it: a list serves as a tuple, a whole number as a number; a string is no
    list of strings, and True no number. Types beyond plain values and their containers are taken
    as they come.

    Args:
        key: Where the values stand, for messages; empty for a config's own keys.
        given: The values, by name.
        hints: Their types, as :func:`typing.get_type_hints` gives them.
    """
    return [
        problem(f'{key}.{name}'.lstrip('.'), value, f'is not {_words(hints[name])}')
        for name, value in given.items()
        if name in hints and not _fits(value, hints[name])
    ]


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple and arguments and Ellipsis not in arguments:
        whole = isinstance(value, (list, tuple)) and len(value) == len(arguments)
        return whole and all(map(_fits, value, arguments))
    if _is_sequence(origin):
        each = arguments[0] if arguments else Any
        return isinstance(value, (list, tuple)) and all(_fits(item, each) for item in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        kinds = arguments or (Any, Any)
        return isinstance(value, Mapping) and all(
            all(map(_fits, item, kinds)) for item in value.items()
        )
    if origin is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if origin is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return origin not in _WORDS or isinstance(value, origin)


def _is_sequence(kind: Any) -> bool:
    return kind in (list, tuple, Sequence)


def _words(hint: Any) -> str:
    """Return a type in words, e.g. 'a list of strings or None'."""
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):
        return ' or '.join(dict.fromkeys(_words(each) for each in arguments))
    if origin is Literal:
        return ' or '.join(map(repr, arguments))
    if origin is tuple and arguments and Ellipsis not in arguments:
        return f'{len(arguments)} values: ' + ', '.join(_words(each) for each in arguments)
    if _is_sequence(origin):
        word = _WORDS.get(arguments[0] if arguments else Any)
        return f'a list of {word.removeprefix("a ")}s' if word else 'a list'
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return 'a dict'
    return _WORDS.get(origin, f'a {getattr(origin, "__name__", origin)}')
