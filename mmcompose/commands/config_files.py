"""Configs that a command line names, and what ``--cfg-options`` change in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from textwrap import shorten
from typing import Any

from mmengine.config import Config

from mmcompose.checks.check_top_level import option_problems
from mmcompose.teachers import read_config
from mmcompose.utils import UserError, allowing, fault, no_file, problem, without_allowed

_MOST_LISTED = 2000
_LONGEST_REASON = 100


def read_config_file(path: str) -> Config:
    """Read a config that is named on a command line.

    Raises:
        UserError: If there is none at ``path``, with the most alike, or it cannot be read.
    """
    if '::' not in path and not Path(path).is_file():
        missing = no_file('config', path)
        is_there = Path(path).exists()
        if not is_there and (missing.suggestion is None or not Path(path).parent.is_dir()):
            missing = problem('config', path, 'is no file', _configs_around(Path(path)))
        raise UserError(missing)
    return read_config(path)


def _configs_around(path: Path) -> Iterator[str]:
    """Yield the configs below the innermost folder of a path that there is."""
    folder = next(each for each in path.parents if each.is_dir())
    # Where that is the working directory, configs stand in a folder of it.
    root = Path('configs') if folder == Path() else folder
    yield from map(str, islice(root.rglob('*.py'), _MOST_LISTED))


def read_compose_config(path: str | Config, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config that must have a composition; one that is read already is looked at alone.

    Raises:
        UserError: If there is none at ``path``, or it has no composition.
    """
    config = read_config_file(path) if isinstance(path, str) else path
    if options:
        merge_options(config, options)
    if not isinstance(config.get('composition'), Mapping):
        raise UserError(
            fault(
                'composition', f'is missing from {config.filename}; see _base_/default_compose.py'
            )
        )
    return config


def merge_options(config: Config, options: Mapping[str, Any]) -> None:
    """Change a config by ``--cfg-options``.

    Raises:
        UserError: If one of them leads nowhere in the config, or to a key that nothing reads.
    """
    with allowing(config.get('allow')):
        if problems := without_allowed(option_problems(config, options)):
            raise UserError(*problems)
    for name, value in options.items():
        try:
            config.merge_from_dict({name: value})
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            # MMEngine's shows the whole list that an index is outside of.
            reason = shorten(str(error), _LONGEST_REASON, placeholder=' …')
            expected = f'{name}={value!r} cannot be set: {reason}'
            raise UserError(fault('--cfg-options', expected)) from error
