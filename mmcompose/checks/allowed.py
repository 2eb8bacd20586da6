"""Checks of what is doubtful but possible: a config's ``allow`` makes a warning of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmengine.config import Config

from mmcompose.checks import check_datasets, check_top_level
from mmcompose.utils import Problem, problem, warn

CHECKS = (check_top_level.CHECK, check_datasets.CHECK)


def allow_problems(config: Config) -> list[Problem]:
    """Return a problem for each name in a config's ``allow`` that is of no check."""
    allow = config.get('allow') or ()
    if not isinstance(allow, (list, tuple)):
        return [problem('allow', allow, "is no list of checks, e.g. ['unknown-key']", CHECKS)]
    return [
        problem(f'allow[{number}]', name, 'is no check', CHECKS)
        for number, name in enumerate(allow)
        if name not in CHECKS
    ]


def without_allowed(problems: Iterable[Problem], allow: Sequence[str]) -> list[Problem]:
    """Return problems without those of checks that a config allows, of which it is warned."""
    kept = []
    for each in problems:
        if each.check is not None and each.check in allow:
            warn(str(each))
        else:
            kept.append(each)
    return kept
