"""Config files of MMDetection, read with one line for whatever is wrong with them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import DefaultScope

from mmcompose.prerequisites import package_folder
from mmcompose.utils import UserError, first_line, no_file, problem


def read_config(config: str | Config) -> Config:
    """Read a config by path, or by ``package::name``.

    Raises:
        UserError: If there is none, it does not parse, or it imports a package that is missing.
    """
    if isinstance(config, Config):
        return copy.deepcopy(config)
    # MMEngine would call pip for any name that stands there.
    package, names_package, name = str(config).partition('::')
    folder = package_folder(package) if names_package else None
    if names_package and folder is None:
        raise UserError(problem('config', config, f'names {package}, which is not installed'))
    if isinstance(config, str) and not names_package and not Path(config).is_file():
        raise UserError(no_file('config', config))
    try:
        return get_config(config) if names_package else Config.fromfile(config)
    # A config file is a program: what it does wrong may be anything.
    except Exception as error:
        missing = _missing_package(error)
        expected = f'needs {missing}, which is not installed'
        if missing is None:
            expected = f'cannot be read as a config ({first_line(error)})'
        known: list[str] = []
        if folder is not None and isinstance(error, FileNotFoundError):
            configs = folder / '.mim' / 'configs'
            if not (configs / name).is_file():
                expected = f'is no config of {package}'
                paths = (path.relative_to(configs).as_posix() for path in configs.rglob('*.py'))
                known = [f'{package}::{path}' for path in paths]
        raise UserError(problem('config', config, expected, known)) from error


def scope_of(config: Config) -> Any:
    """Return a context in which unprefixed names mean what the config means by them."""
    return DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmdet')


def _missing_package(error: BaseException | None) -> str | None:
    """Return the package for want of which an import failed, or None."""
    # MMEngine reports `custom_imports` in words of its own.
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name.partition('.')[0]
        error = error.__cause__ or error.__context__
    return None
