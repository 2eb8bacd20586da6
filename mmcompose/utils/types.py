"""Values of a config checked against the annotations of what they are given to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from mmcompose.utils.problem import Problem, problem

_WORDS: dict[Any, str] = {
    NoneType: 'None',
    bool: 'True or False',
    float: 'a number',
    int: 'a whole number',
    str: 'a string',
    PathLike: 'a path',
}
# What serves as a list.
_SEQUENCES = (list, tuple, range)


@dataclass(frozen=True)
class Range:
    """The finite numbers that an argument may be: ``Annotated[float, Range(0, 1)]``.

    Args:
        low: The lowest. Defaults to none.
        high: The highest. Defaults to none.
        above: A number that it has to be above. Defaults to none.
        below: A number that it has to be below. Defaults to none.
    """

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __contains__(self, value: float) -> bool:
        inside = self.low <= value <= self.high and self.above < value < self.below
        return inside and math.isfinite(value)

    def __str__(self) -> str:
        low = f'[{self.low:g}' if self.above == -math.inf else f'({self.above:g}'
        if self.high < math.inf:
            return f'in {low}, {self.high:g}]'
        if self.below < math.inf:
            return f'in {low}, {self.below:g})'
        return f'{self.low:g} or more' if self.above == -math.inf else f'above {self.above:g}'


Fraction: TypeAlias = Annotated[float, Range(0, 1)]
Positive: TypeAlias = Annotated[float, Range(above=0)]
Count: TypeAlias = Annotated[int, Range(1)]
# A string that names no file, whatever of its name lies in the working directory.
Name: TypeAlias = Annotated[str, 'names no file']


def check_types(key: str, given: Mapping[str, Any], hints: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each value that is not of its annotated type, or out of its range.

    As a config means it: a list serves as a tuple, a whole number as a number; a string is no
    list of strings, and True no number. Types beyond plain values and their containers are taken
    as they come.

    Args:
        key: Where the values stand, for messages; empty for a config's own keys.
        given: The values, by name.
        hints: Their types, as :func:`typing.get_type_hints` gives them, with
            ``include_extras=True`` where ranges are to be checked.
    """
    return [
        problem(at, wrong, f'is not {expected}', _options(hints[name]))
        for name, value in given.items()
        if name in hints
        for at, wrong, expected in _mismatches(f'{key}.{name}'.lstrip('.'), value, hints[name])
    ]


def _mismatches(key: str, value: Any, hint: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield the key of each value that does not fit, the value, and what was expected."""
    if _fits(value, hint):
        yield from _out_of_range(key, value, hint)
    elif (kind := _kind_of_items(value, hint)) is not None:
        by_name = isinstance(value, Mapping)
        for name, item in value.items() if by_name else enumerate(value):
            at = f'{key}.{name}' if by_name else f'{key}[{name}]'
            yield from _mismatches(at, item, kind)
    elif (names := _wrong_names(value, hint)) is not None:
        for name, expected in names:
            yield key, name, f'{_words(expected)}, as a name here is'
    else:
        yield key, value, _words(hint)


def _wrong_names(value: Any, hint: Any) -> list[tuple[Any, Any]] | None:
    """Return the names in a dict that do not fit where one is looked for, and their type."""
    for each in get_args(hint) if get_origin(hint) in (Union, UnionType) else [hint]:
        origin, arguments = get_origin(each), get_args(each)
        if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
            return [(name, arguments[0]) for name in value if not _fits(name, arguments[0])]
    return None


def _kind_of_items(value: Any, hint: Any) -> Any:
    """Return the type of a dict's or list's items where such is among what fits, else None."""
    for each in get_args(hint) if get_origin(hint) in (Union, UnionType) else [hint]:
        origin, arguments = get_origin(each), get_args(each)
        any_length = origin is not tuple or Ellipsis in arguments
        if _is_sequence(origin) and any_length and isinstance(value, _SEQUENCES):
            return arguments[0]
        if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
            return arguments[1] if all(_fits(name, arguments[0]) for name in value) else None
    return None


def _out_of_range(key: str, value: Any, hint: Any) -> Iterator[tuple[str, Any, str]]:
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin is Annotated:
        yield from _out_of_range(key, value, arguments[0])
        ranges = [each for each in arguments[1:] if isinstance(each, Range)]
        yield from ((key, value, str(each)) for each in ranges if value not in each)
    elif origin in (Union, UnionType):
        yield from _out_of_range(key, value, next(each for each in arguments if _fits(value, each)))
    elif isinstance(value, Mapping) and len(arguments) == 2:
        for name, item in value.items():
            yield from _out_of_range(f'{key}.{name}', item, arguments[1])
    elif _is_sequence(origin) and arguments:
        for number, item in enumerate(value):
            yield from _out_of_range(f'{key}[{number}]', item, arguments[0])


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin is Annotated:
        return _fits(value, arguments[0])
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple and arguments and Ellipsis not in arguments:
        whole = isinstance(value, (list, tuple)) and len(value) == len(arguments)
        return whole and all(map(_fits, value, arguments))
    if _is_sequence(origin):
        each = arguments[0] if arguments else Any
        return isinstance(value, _SEQUENCES) and all(_fits(item, each) for item in value)
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


def _options(hint: Any) -> list[Any]:
    """Return the values that a type lists, of which the nearest is suggested."""
    arguments = get_args(hint)
    if get_origin(hint) is Literal:
        return list(arguments)
    return [option for each in arguments for option in _options(each)]


def _is_sequence(kind: Any) -> bool:
    return kind in (list, tuple, Sequence)


def _words(hint: Any) -> str:
    """Return a type in words, e.g. 'a list of strings or None'."""
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin is Annotated:
        return _words(arguments[0])
    if origin in (Union, UnionType):
        return ' or '.join(dict.fromkeys(_words(each) for each in arguments))
    if origin is Literal:
        return ' or '.join(map(repr, arguments))
    if origin is tuple and arguments and Ellipsis not in arguments:
        return f'{len(arguments)} values: ' + ', '.join(_words(each) for each in arguments)
    if _is_sequence(origin):
        item = arguments[0] if arguments else Any
        word = _WORDS.get(get_args(item)[0] if get_origin(item) is Annotated else item)
        return f'a list of {word.removeprefix("a ")}s' if word else 'a list'
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return 'a dict'
    return _WORDS.get(origin, f'a {getattr(origin, "__name__", origin)}')
