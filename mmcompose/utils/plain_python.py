"""Python text that holds assignments of plain values, read without running any of it."""

from __future__ import annotations

import ast
from typing import Any


def plain_assignments(text: str) -> dict[str, Any]:
    """Return what a text assigns, by name: numbers, strings, lists, dicts and the like.

    Such is a config as MMEngine saves it in a checkpoint: whoever made that wrote the text.

    Args:
        text: Lines of ``name = value``; a dict may be written as ``dict(a=1, **{'b c': 2})``.

    Raises:
        ValueError: If it is anything more, with the line.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f'is no Python: {error}') from error
    found: dict[str, Any] = {}
    for node in body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            raise _not_plain(node)
        found[node.targets[0].id] = _value(node.value)
    return found


def _value(node: ast.expr) -> Any:
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
        return kind(map(_value, node.elts))
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {_value(_given(key, node)): _value(value) for key, value in pairs}
    if isinstance(node, ast.Call) and _calls_dict(node):
        made: dict[Any, Any] = {}
        for keyword in node.keywords:
            value = _value(keyword.value)
            made.update(value if keyword.arg is None else {keyword.arg: value})
        return made
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise _not_plain(node) from None


def _given(key: ast.expr | None, node: ast.expr) -> ast.expr:
    if key is None:
        raise _not_plain(node)
    return key


def _calls_dict(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args


def _not_plain(node: ast.stmt | ast.expr) -> ValueError:
    return ValueError(f'has more than plain values in line {node.lineno}')
