"""The one exception type for a user's mistake, and how its line is worded."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

# How a line begins that names an argument: `min_score: …`, `steps[0].keep: …`.
_ARGUMENT = re.compile(r'[^\s/\\]+: ')


class UserError(Exception):
    """A mistake in a config, a file or a command line, told in one line a mistake.

    Args:
        problems: One line for each mistake found; see :func:`problem`.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return '\n'.join(self.problems)


class Mistakes:
    """Gathers mistakes, so that all of them are told at once.

    Each ``with mistakes:`` block goes on after it in spite of a :class:`UserError` inside.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []

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

    def add(self, *problems: str) -> None:
        """Take down problems; see :func:`problem`."""
        self.problems += problems

    def raise_if_any(self) -> None:
        """Raise one :class:`UserError` of all that was gathered, if anything was."""
        if self.problems:
            raise UserError(*self.problems)


def nearest(name: object, options: Iterable[object]) -> str | None:
    """Return the option that is spelled most like ``name``, or None if none is near."""
    by_lower = {str(option).lower(): str(option) for option in options}
    found = difflib.get_close_matches(str(name).lower(), list(by_lower), n=1, cutoff=0.5)
    return by_lower[found[0]] if found else None


def problem(key: str, value: object, expected: str, options: Iterable[object] = ()) -> str:
    """Word one mistake: where it is, what stands there, what was expected, the nearest name.

    Args:
        key: The config key or file that holds the mistake, e.g.
            ``composition.class_space.mapping.coco``.
        value: What stands there.
        expected: What should, in a few words.
        options: Valid names, of which the nearest to ``value`` is suggested.

    Returns:
        The line, e.g. ``a.b: 'trruck' is not a class of teacher coco; did you mean 'truck'?``
    """
    near = nearest(value, options)
    suggestion = f'; did you mean {near!r}?' if near is not None else ''
    return f'{key}: {value!r} {expected}{suggestion}'


def no_file(key: str, path: str | Path) -> str:
    """Word that a file is missing, with the most alike of those that stand in its folder."""
    folder = Path(path).parent
    near = map(str, folder.iterdir()) if folder.is_dir() else ()
    return problem(key, str(path), 'is no file', near)


def no_folder(key: str, path: str | Path) -> str:
    """Word that a folder is missing, with the most alike of those that stand beside it."""
    beside = Path(path).parent
    near = (str(each) for each in beside.iterdir() if each.is_dir()) if beside.is_dir() else ()
    return problem(key, str(path), 'is no folder', near)


def check_keys(
    key: str, given: Iterable[str], allowed: Iterable[str], required: Iterable[str] = ()
) -> list[str]:
    """Return a problem for each key that is unknown, and each required one that is missing."""
    allowed, given = list(allowed), list(given)
    problems = [
        problem(
            key,
            name,
            f'is not a key here (expected: {", ".join(allowed)})',
            [option for option in allowed if option not in given],
        )
        for name in given
        if name not in allowed
    ]
    problems += [f'{key}.{name}: is missing' for name in required if name not in given]
    return problems


@contextmanager
def key_prefix(key: str) -> Iterator[None]:
    """Put ``key.`` before every problem raised inside.

    So that a class names only its own argument, and whoever builds it says where that stands.
    Where a line begins with no argument but a file's path, ``key: `` is put before it.
    """
    try:
        yield
    except UserError as error:
        lines = (f'{key}{"." if _ARGUMENT.match(line) else ": "}{line}' for line in error.problems)
        raise UserError(*lines) from error
