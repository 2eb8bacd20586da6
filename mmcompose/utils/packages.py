"""Packages that only some parts need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mmcompose.utils.errors import UserError
from mmcompose.utils.problem import fault


def optional_package(package: str, extra: str, key: str = 'type') -> Any:
    """Import a package that an extra of mmcompose installs.

    Args:
        package: Its import name.
        extra: The extra.
        key: What needs it, for messages. Defaults to a config's ``type``.

    Raises:
        UserError: If it is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        missing = f"needs {package}, which is not installed: pip install 'mmcompose[{extra}]'"
        raise UserError(fault(key, missing)) from error
