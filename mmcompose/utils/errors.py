"""The one exception type for a user's mistakes, and what gathers them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType

from mmcompose.utils.problem import Problem


class UserError(Exception):
    """Mistakes in a config, a file or a command line, one line each.

    Args:
        problems: The mistakes; see :func:`mmcompose.utils.problem`.
    """

    def __init__(self, *problems: Problem) -> None:
        assert all(isinstance(each, Problem) for each in problems), problems
        super().__init__(*problems)
        self.problems = problems

    @property
    def lines(self) -> tuple[str, ...]:
        """The line of each mistake."""
        return tuple(map(str, self.problems))

    def __str__(self) -> str:
        return '\n'.join(self.lines)


class Mistakes:
    """Gathers mistakes, so that all of them are reported at once.

    Each ``with mistakes:`` block goes on after it in spite of a :class:`UserError` inside.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self.problems)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, UserError):
            self.add(*error.problems)
            return True
        return False

    def add(self, *problems: Problem) -> None:
        """Keep problems."""
        self.problems += problems

    def raise_if_any(self) -> None:
        """Raise one :class:`UserError` of all that was gathered, if anything was."""
        if self.problems:
            raise UserError(*self.problems)


@contextmanager
def at_root() -> Iterator[None]:
    """Mark every problem raised inside as one whose key starts at the config's root."""
    try:
        yield
    except UserError as error:
        raise UserError(*(replace(each, is_absolute=True) for each in error.problems)) from error


@contextmanager
def key_prefix(key: str, is_absolute: bool = False) -> Iterator[None]:
    """Put ``key`` before the key of every problem raised inside that is not absolute.

    So that a class names only its own argument, and whoever builds it where that stands.

    Args:
        key: Where the class's arguments stand.
        is_absolute: Whether ``key`` starts at the config's root. Defaults to False.
    """
    try:
        yield
    except UserError as error:
        raise UserError(*(each.below(key, is_absolute) for each in error.problems)) from error
