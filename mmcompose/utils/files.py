"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isnan
from pathlib import Path
from typing import Any

from mmcompose.utils.errors import UserError
from mmcompose.utils.problem import problem

# In a folder of our own: says what made it.
OWN_FOLDER = '.mmcompose'
# A Path has one of its two slashes; a drive is one letter.
_URL = re.compile(r'[A-Za-z][A-Za-z0-9+.-]+:/')


@contextmanager
def atomic_write(key: str, path: str | Path) -> Iterator[Path]:
    """Give a path to write a file at, which is moved to its place when it is whole.

    Args:
        key: The config key or argument that names the place, for messages.
        path: The place. Its folder is made.

    Raises:
        UserError: If it cannot be written: no right to, no room left.
    """
    path = Path(path)
    # Beside its place, for a rename within one file system; processes of several machines may
    # write the same file. Without its name, which may be as long as names can be.
    temporary = path.with_name(f'.{uuid.uuid4().hex}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(problem(key, str(path), f'cannot be written: {error}')) from error
    finally:
        # Not there where all went well, nor where its folder could not be made.
        with suppress(OSError):
            temporary.unlink()


def write_json(key: str, path: str | Path, content: Any, indent: int | None = 2) -> None:
    """Write a JSON file; see :func:`atomic_write`.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON does not know.
    """
    text = json.dumps(content, indent=indent, allow_nan=False)
    with atomic_write(key, path) as temporary:
        temporary.write_text(f'{text}\n', encoding='utf-8')


def without_nan(value: Any) -> Any:
    """Return plain values with None, JSON's null, for each number that is NaN."""
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and isnan(value) else value


def check_writable(key: str, path: str | Path, folder: bool = False) -> None:
    """Check, before hours of work, that a file or folder can be written, or written anew.

    Args:
        key: The config key or argument that names the place, for messages.
        path: The place.
        folder: Whether a folder is to stand there. Defaults to False: a file.

    Raises:
        UserError: If not.
    """
    if _URL.match(str(path)):
        raise UserError(problem(key, str(path), 'is a URL; give a local path'))
    if Path(path).exists() and Path(path).is_dir() != folder:
        wanted, found = ('folder', 'file') if folder else ('file', 'folder')
        raise UserError(problem(key, str(path), f'is a {found}; give the path of a {wanted}'))
    place = Path(path).absolute()
    while not place.exists():
        place = place.parent
    if place != Path(path).absolute() and not place.is_dir():
        raise UserError(problem(key, str(path), f'cannot be written: {place} is no folder'))
    if not os.access(place, os.W_OK):
        raise UserError(problem(key, str(path), f'cannot be written: no right to write to {place}'))


def check_own_folder(key: str, folder: Path, maker: str) -> None:
    """Check that a folder is new, empty, or was made by the same before.

    Files of the user's may be in any other, under the names that are written.

    Args:
        key: Names the folder in a message.
        folder: The folder.
        maker: What makes it, as :func:`mark_own_folder` was given.

    Raises:
        UserError: If it is none of these.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    mark = folder / OWN_FOLDER
    if not mark.is_file() or mark.read_text(encoding='utf-8') != maker:
        expected = f'is no folder that {maker} made; name a new one, or an empty one'
        raise UserError(problem(key, str(folder), expected))


def mark_own_folder(key: str, folder: Path, maker: str) -> None:
    """Mark a folder before anything is written into it, so that it can be made again."""
    with atomic_write(key, folder / OWN_FOLDER) as mark:
        mark.write_text(maker, encoding='utf-8')
