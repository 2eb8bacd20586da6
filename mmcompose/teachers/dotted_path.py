"""Functions that a config names by a dotted path."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from mmcompose.utils import UserError, file_fingerprint, problem


def load_function(key: str, path: str) -> Callable[..., Any]:
    """Import a function named by a dotted path.

    Args:
        key: The argument that holds the path, for messages.
        path: ``package.module.function``.

    Raises:
        UserError: If the module cannot be imported or has no such function.
    """
    module_name, _, name = path.rpartition('.')
    try:
        module = import_module(module_name)
    except (ImportError, ValueError) as error:
        raise UserError(problem(key, path, f'cannot be imported ({error})')) from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [
            f'{module_name}.{other}'
            for other, value in vars(module).items()
            if callable(value) and not other.startswith('_')
        ]
        raise UserError(problem(key, path, f'is no function of {module_name}', known))
    return function  # type: ignore[no-any-return]


def source_fingerprint(function: Callable[..., Any]) -> str | None:
    """Return 16 hex digits that address the file a function is written in, or None.

    Of one in a decorator, as ``torch.no_grad()``, it is the file of the function itself; of an
    object that can be called, that of its class.
    """
    try:
        file = inspect.getsourcefile(_as_written(function))
    except (TypeError, OSError):
        return None
    return file_fingerprint(file) if file and Path(file).is_file() else None


def _as_written(function: Callable[..., Any]) -> Any:
    """Return the function or the class whose source decides what a call returns."""
    function = inspect.unwrap(function)
    if isinstance(function, partial):
        return _as_written(function.func)
    has_source = inspect.isroutine(function) or inspect.isclass(function)
    return function if has_source else type(function)
