"""The content of a config dict: what its arguments set, and what is in the files they name."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mmcompose.utils.constructors import constructor_parameters, constructor_types
from mmcompose.utils.hashing import file_fingerprint, plain
from mmcompose.utils.types import Name

_PLAIN = (NoneType, str, bool, int, float, list, tuple, Mapping)


def content_of(
    config: Mapping[str, Any], cls: type, without: Collection[str] = ()
) -> dict[str, Any]:
    """Return a config dict with the fingerprint of its content in place of each file and folder.

    A path, and a string that names a file or folder where the class does not annotate it as a
    :data:`Name` or ``Literal``, stand for the content; so it does not count where a file lies. An
    argument that has its default is left out: whether it is written does not count either, and
    the content stays when a class takes one more.

    Args:
        config: ``dict(type=..., **arguments)``.
        cls: The class that it is for.
        without: Arguments to leave out.
    """
    hints, parameters = constructor_types(cls), constructor_parameters(cls).values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    found = {
        name: _content(value, hints.get(name, Any) if name != 'type' else Name)
        for name, value in {**defaults, **config}.items()
        if name not in without
    }
    return {
        name: value
        for name, value in found.items()
        if name not in defaults or not _is_default(value, defaults[name])
    }


def _content(value: Any, hint: Any) -> Any:
    if isinstance(value, Mapping):
        inner = _hint_of_items(hint)
        return {n: _content(item, Name if n == 'type' else inner) for n, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_content(item, _hint_of_items(hint)) for item in value]
    if not isinstance(value, os.PathLike) and not (isinstance(value, str) and _may_be_path(hint)):
        return value
    # Not by pathlib, which raises where a string is too long for a path.
    if os.path.isfile(value):
        return {'file': file_fingerprint(value)}
    if os.path.isdir(value):
        files = sorted(path for path in Path(value).rglob('*') if path.is_file())
        return {'folder': [[str(f.relative_to(value)), file_fingerprint(f)] for f in files]}
    return value


def _is_default(value: Any, default: Any) -> bool:
    return value is default or (isinstance(default, _PLAIN) and plain(value) == plain(default))


def _may_be_path(hint: Any) -> bool:
    """Return whether a string of a type may be a path; one of an unknown type may."""
    return any(
        each != Name and get_origin(each) is not Literal and not _is_no_string(each)
        for each in _alternatives(hint)
    )


def _hint_of_items(hint: Any) -> Any:
    """Return the type of what is in a dict or list of a type."""
    inner = [
        item
        for each in _alternatives(hint)
        if _is_no_string(each)
        # Of a dict's two, that of the values.
        for item in get_args(each)[issubclass(_kind(each), Mapping) :]
        if item is not Ellipsis
    ]
    return reduce(or_, inner) if inner else Any


def _alternatives(hint: Any) -> list[Any]:
    if get_origin(hint) in (Union, UnionType):
        return [each for inner in get_args(hint) for each in _alternatives(inner)]
    if get_origin(hint) is Annotated and hint != Name:
        return _alternatives(get_args(hint)[0])
    return [hint]


def _is_no_string(hint: Any) -> bool:
    kind = _kind(hint)
    is_class = isinstance(kind, type) and not issubclass(kind, str)
    return is_class and issubclass(kind, (Collection, NoneType, int, float))


def _kind(hint: Any) -> Any:
    return get_origin(hint) or hint
