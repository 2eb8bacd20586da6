"""Doubts: what is likely a mistake, but possible; an error unless it is allowed by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mmcompose.utils.errors import UserError
from mmcompose.utils.logging import warn
from mmcompose.utils.problem import Problem, problem

# By the name of each check that a config's `allow` may list, what it then lets through.
CHECKS = {
    'unknown-key': 'a key at the root of the config that nothing reads, and is spelled like one',
    'no-labels': 'a training set without labels of any kind',
    'label-codes': 'a transform of your own that may read labels while they carry weights',
    'class-order': 'class names in another order than a file has them',
    'file-names': "results whose file name is not that of their image's id",
    'listed-sizes': "pictures of another size than their file lists; the picture's own counts",
    'box-form': 'boxes that leave their pictures, and would not in another form',
    'relative-boxes': 'boxes that all lie within the first pixel of their picture',
    'outside-boxes': 'boxes that near all lie outside their picture; they are left out',
    'inverted-boxes': 'boxes of a negative width or height; they are left out',
    'tiny-boxes': 'boxes that near all are less than a pixel wide or high',
    'resumed-labels': 'a run that resumes with other labels than its checkpoint learned from',
    'whole-scores': 'text files whose scores are all 1',
}

_allowed: ContextVar[frozenset[str]] = ContextVar('allowed', default=frozenset())


@contextmanager
def allowing(checks: object) -> Iterator[None]:
    """Make a warning of what these checks find meanwhile, beside those allowed already.

    Args:
        checks: Names of :data:`CHECKS`; anything but a list or tuple allows nothing.
    """
    given = checks if isinstance(checks, (list, tuple)) else ()
    names = {name for name in given if isinstance(name, str)}
    token = _allowed.set(_allowed.get() | names)
    try:
        yield
    finally:
        _allowed.reset(token)


def check_names(key: str, names: object) -> list[Problem]:
    """Return a problem for each name of no check.

    Args:
        key: Where they stand in the config.
        names: What stands there.
    """
    if not isinstance(names, (list, tuple)):
        return [problem(key, names, "is no list of checks, e.g. ['unknown-key']", CHECKS)]
    return [
        problem(f'{key}[{number}]', name, 'is no check', CHECKS)
        for number, name in enumerate(names)
        if not isinstance(name, str) or name not in CHECKS
    ]


def is_allowed(check: str) -> bool:
    """Return whether what a check finds is a warning."""
    return check in _allowed.get()


def doubt(check: str, found: Problem) -> None:
    """Warn of what a check finds, if that is allowed.

    Args:
        check: One of :data:`CHECKS`.
        found: What it finds.

    Raises:
        UserError: If it is not; its line names the check.
    """
    assert check in CHECKS, check
    if not is_allowed(check):
        raise UserError(found.doubtful(check))
    warn(str(found))


def without_allowed(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems without those of checks that are allowed, of which it warns."""
    kept = []
    for each in problems:
        if each.check is not None and is_allowed(each.check):
            warn(str(each))
        else:
            kept.append(each)
    return kept
