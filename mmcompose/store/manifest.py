"""The manifest of a folder of results: what made them, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mmcompose.store.location import KEY, Location
from mmcompose.utils import UserError, problem

NAME = 'manifest.json'


def write_manifest(location: Location, folder: str, content: Mapping[str, Any]) -> None:
    """Write a folder's manifest where it has none.

    Raises:
        UserError: If it cannot be written, or the folder has another.
    """
    if not check_manifest(location, folder, content):
        location.write(_text(content), folder, NAME)


def check_manifest(location: Location, folder: str, content: Mapping[str, Any]) -> bool:
    """Compare a folder's manifest with what it must be, and return whether there is one.

    Raises:
        UserError: If it is another.
    """
    try:
        found = location.read(folder, NAME)
    except FileNotFoundError:
        return False
    if found != _text(content):
        expected = (
            'is damaged, or of other results than its folder is named after; delete the folder, '
            'and they are made anew'
        )
        raise UserError(problem(KEY, location.path(folder, NAME), expected))
    return True


def _text(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False).encode() + b'\n'
