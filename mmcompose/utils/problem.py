"""Problem: one mistake of a user as data, and how its line is worded."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path


class _AsShown:
    """Stands for a value that is known by its representation alone."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return repr(other) == self._text

    def __hash__(self) -> int:
        return hash(self._text)


NO_VALUE = _AsShown('no value')
# What a path may name, by the word for it in messages; False also where one may not look.
_IS = {'file': os.path.isfile, 'folder': os.path.isdir, 'file or folder': os.path.exists}
# The same of what a folder's listing has, links excepted: no look at each of many files.
_IS_LISTED: dict[str, Callable[[os.DirEntry[str]], bool]] = {
    'file': os.DirEntry.is_file,
    'folder': os.DirEntry.is_dir,
    'file or folder': lambda _: True,
}


@dataclass(frozen=True)
class Problem:
    """One mistake; as a string, the one line that a user reads.

    Args:
        key: The config key or argument that holds it, e.g. ``class_space.mapping.coco``; empty
            where ``expected`` names a file itself.
        value: What stands there; :data:`NO_VALUE` where that is not shown.
        expected: What is wrong with it, or what should stand there, in a few words.
        suggestion: The nearest valid name, None where none is near.
        is_absolute: Whether the key starts at the config's root, so that no prefix belongs
            before it.
        check: The name of the check that found what is doubtful but possible, None where it is a
            mistake.
    """

    key: str
    value: object
    expected: str
    suggestion: str | None = None
    is_absolute: bool = False
    check: str | None = None

    def __str__(self) -> str:
        key = f'{self.key}: ' if self.key else ''
        value = '' if self.value is NO_VALUE else f'{self.value!r} '
        suggestion = f'; did you mean {self.suggestion!r}?' if self.suggestion is not None else ''
        allow = f"; allow=['{self.check}'] makes this a warning" if self.check else ''
        return f'{key}{value}{self.expected}{suggestion}{allow}'

    def below(self, prefix: str, is_absolute: bool = False) -> Problem:
        """Return the same problem of a part that stands at ``prefix``.

        Args:
            prefix: Where the part stands.
            is_absolute: Whether that starts at the config's root. Defaults to False.
        """
        if self.is_absolute:
            return self
        dot = '.' if prefix and self.key and not self.key.startswith('[') else ''
        return replace(self, key=f'{prefix}{dot}{self.key}', is_absolute=is_absolute)

    def doubtful(self, check: str) -> Problem:
        """Return the same problem as one that a config may allow; see :attr:`check`."""
        return replace(self, check=check)

    def __reduce__(self) -> tuple[object, ...]:
        # Values need not be picklable, and problems come back from other processes.
        value = self.value if self.value is NO_VALUE else _AsShown(repr(self.value))
        rest = (self.expected, self.suggestion, self.is_absolute, self.check)
        if value is NO_VALUE:
            return _without_value, (self.key, *rest)
        return Problem, (self.key, value, *rest)


def _without_value(key: str, *rest: object) -> Problem:
    return Problem(key, NO_VALUE, *rest)  # type: ignore[arg-type]


def nearest(name: object, options: Iterable[object]) -> str | None:
    """Return the option that is spelled most like ``name``, or None if none is near."""
    by_lower = {str(option).lower(): str(option) for option in options}
    found = difflib.get_close_matches(str(name).lower(), list(by_lower), n=1, cutoff=0.5)
    return by_lower[found[0]] if found else None


def problem(
    key: str,
    value: object,
    expected: str,
    options: Iterable[object] = (),
    is_absolute: bool = False,
) -> Problem:
    """Return a mistake: where it is, what stands there, what was expected, the nearest name.

    Args:
        key: The config key or argument that holds the mistake, e.g.
            ``composition.class_space.mapping.coco``.
        value: What stands there.
        expected: What should, in a few words.
        options: Valid names, of which the nearest to ``value`` is suggested.
        is_absolute: Whether the key starts at the config's root. Defaults to False.

    Returns:
        The problem; its line is e.g.
        ``a.b: 'trruck' is not a class of teacher coco; did you mean 'truck'?``
    """
    return Problem(key, value, expected, nearest(value, options), is_absolute)


def fault(key: str, expected: str, is_absolute: bool = False) -> Problem:
    """Return a mistake whose value is missing, or is not worth showing.

    Args:
        key: The config key or argument that holds it; empty where ``expected`` begins with the
            path of the file that does.
        expected: What is wrong, in a few words.
        is_absolute: Whether the key starts at the config's root. Defaults to False.
    """
    return Problem(key, NO_VALUE, expected, is_absolute=is_absolute)


def no_file(key: str, path: str | Path, like: str = '*', kind: str = 'file') -> Problem:
    """Return that a file is missing, with the most alike of the files that stand in its folder.

    Where a folder of its path is missing, that is the file under the folder that is most alike, or
    the folder itself; a folder that the path does not name is looked into for the file alone.

    Args:
        key: The config key or argument that names it.
        path: Where it was to be.
        like: A glob of the names that may be meant. Defaults to all.
        kind: What was to be there, 'file' or 'file or folder'. Defaults to 'file'.
    """
    if Path(path).is_dir():
        return problem(key, str(path), f'is a folder; give the path of a {kind}')
    return Problem(key, str(path), f'is no {kind}', _nearest_path(str(path), like, kind))


def no_folder(key: str, path: str | Path) -> Problem:
    """Return that a folder is missing, with the most alike of those that stand beside it."""
    return Problem(key, str(path), 'is no folder', _nearest_path(str(path), '*', 'folder'))


def _nearest_path(missing: str, like: str, kind: str) -> str | None:
    """Return what is named most like a missing path, or like the folder of it that is missing."""
    if '://' in missing:
        return None
    path = Path(missing)
    beside = path.parent
    while not beside.is_dir() and beside != beside.parent:
        path, beside = beside, beside.parent
    rest, is_meant = Path(missing).relative_to(path), _IS[kind]
    if rest == Path():
        found = _listed(beside, like, kind)
    else:
        found = _listed(beside, '*', 'folder')
        if not beside.name:
            # '.' or '/', which every path begins in: what they hold may be of anything.
            found = [each for each in found if is_meant(each / rest)]
    # An ending in common does not make two names alike.
    stem = nearest(path.stem, (each.stem for each in found))
    near = nearest(
        path.name, (each.name for each in found if each.stem.lower() == str(stem).lower())
    )
    if stem is None or near is None:
        return None
    whole = beside / near / rest
    return str(whole if is_meant(whole) else beside / near)


def _listed(folder: Path, like: str, kind: str) -> list[Path]:
    """Return what of a kind a folder lists; nothing where it may not be listed."""
    with suppress(PermissionError), os.scandir(folder) as entries:
        return [
            folder / each.name
            for each in entries
            if fnmatch(each.name, like)
            and (_IS[kind](each.path) if each.is_symlink() else _IS_LISTED[kind](each))
        ]
    return []


def check_keys(
    key: str, given: Iterable[str], allowed: Iterable[str], required: Iterable[str] = ()
) -> list[Problem]:
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
    problems += [fault(name, 'is missing').below(key) for name in required if name not in given]
    return problems
