"""Replace methods of single objects, and put them back."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any


class Patches:
    """Methods that were replaced on objects of their own, their classes left as they are.

    A replacement is a ``partial`` of bound methods, so that a deep copy of a patched model is
    patched with copies, and does not call the original's.
    """

    def __init__(self) -> None:
        self._undo: list[Callable[[], Any]] = []

    def replace(self, owner: Any, name: str, method: Callable[..., Any]) -> None:
        """Let ``owner.name(...)`` call ``method(original, ...)``.

        Where others replaced it before, that is the original; whoever is the first to put
        everything back puts back theirs, too.
        """
        setattr(owner, name, partial(method, getattr(owner, name)))
        self._undo.append(partial(vars(owner).pop, name, None))

    def add(self, undo: Callable[[], Any]) -> None:
        """Call ``undo`` at the end, too."""
        self._undo.append(undo)

    def undo(self) -> None:
        """Put everything back."""
        while self._undo:
            self._undo.pop()()


def arguments(
    method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return a call's arguments by name."""
    return inspect.signature(method).bind(*args, **kwargs).arguments


def call_without(
    name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a method with None for one of its arguments, where that is given."""
    bound = inspect.signature(method).bind(*args, **kwargs)
    if name in bound.arguments:
        bound.arguments[name] = None
    return method(*bound.args, **bound.kwargs)
