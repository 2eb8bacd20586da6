"""Sealed files: their names hold a digest of their content, which is compared on reading."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mmcompose.store.location import KEY, Location
from mmcompose.utils import UserError, problem

_LENGTH = 16


def digest_of(content: bytes) -> str:
    """Return 16 hex digits of a content's SHA-256."""
    return hashlib.sha256(content).hexdigest()[:_LENGTH]


def sealed_name(stem: str, content: bytes, suffix: str) -> str:
    """Return the name of a sealed file, ``<stem>-<digest><suffix>``."""
    return f'{stem}-{digest_of(content)}{suffix}'


def stem_of(name: str) -> str:
    """Return a sealed file's name without digest and suffix."""
    return name.rsplit('.', 1)[0].rpartition('-')[0]


def is_sound(name: str, content: bytes) -> bool:
    """Return whether a sealed file's content is what was written."""
    return name.rsplit('.', 1)[0].rpartition('-')[2] == digest_of(content)


def find_sealed(location: Location, folder: str, stem: str, suffix: str) -> list[str]:
    """Return the names of a folder's sealed files whose stems begin so, sorted.

    Args:
        location: The store's.
        folder: Where in it.
        stem: What they were written as, or the first of its parts between hyphens.
        suffix: Theirs.
    """
    names = location.names(folder)
    return [name for name in names if name.startswith(f'{stem}-') and name.endswith(suffix)]


def write_sealed(location: Location, folder: str, stem: str, content: bytes, suffix: str) -> str:
    """Write a sealed file, and return its name.

    Raises:
        UserError: If it cannot be written.
    """
    name = sealed_name(stem, content, suffix)
    location.write(content, folder, name)
    return name


def read_sealed(location: Location, folder: str, name: str) -> bytes:
    """Read a sealed file.

    Raises:
        FileNotFoundError: If there is none.
        UserError: If it is not what was written.
    """
    content = location.read(folder, name)
    if not is_sound(name, content):
        raise damaged(location.path(folder, name))
    return content


def is_sound_file(path: Path) -> bool:
    """Return whether a sealed file on this machine is what was written."""
    with open(path, 'rb') as file:
        found = hashlib.file_digest(file, 'sha256').hexdigest()[:_LENGTH]
    return path.stem.rpartition('-')[2] == found


def seal(temporary: Path, stem: str, suffix: str) -> str:
    """Return the sealed name of a file that was written under another."""
    with open(temporary, 'rb') as file:
        found = hashlib.file_digest(file, 'sha256').hexdigest()[:_LENGTH]
    return f'{stem}-{found}{suffix}'


def damaged(path: str | Path) -> UserError:
    """Return what is raised for a file that is not what was written."""
    expected = 'is damaged: its content is not what was written; delete it, and it is made anew'
    return UserError(problem(KEY, str(path), expected))
