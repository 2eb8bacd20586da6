"""Look at whether a config has a composition, and a work directory that is a place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from mmcompose.utils import Problem, fault, problem


def composition_problems(config: Config) -> list[Problem]:
    """Return a problem where a config has no composition, or its work directory is no place."""
    composition = config.get('composition')
    if composition is None:
        expected = (
            'is missing; give dict(teachers=…, …), or leave '
            "runner_type='mmcompose.CompositionRunner' out"
        )
        return [fault('composition', expected)]
    if not isinstance(composition, Mapping):
        return [problem('composition', composition, f'is not a dict{comma(composition)}')]
    return home_problems('work_dir', config.get('work_dir'))


def comma(value: object) -> str:
    """Return a hint where a value is a dict with a comma after it, which makes it a tuple."""
    tuple_of_dict = isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], Mapping)
    return '; remove the comma after its last bracket' if tuple_of_dict else ''


def home_problems(key: str, place: object) -> list[Problem]:
    """Return a problem if a path begins with a home folder that no shell expands here."""
    if not isinstance(place, str) or not place.startswith('~'):
        return []
    expected = 'begins with ~, which only a shell expands; write the whole path'
    return [problem(key, place, expected, [str(Path(place).expanduser())])]
