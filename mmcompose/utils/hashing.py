"""Fingerprints: the address of a thing by all that made it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

FINGERPRINT_LENGTH = 16
_SETTLED_SECONDS = 2.0
# By path, size, time and inode.
_READ: dict[tuple[str, int, int, int], str] = {}


def plain(value: Any) -> Any:
    """Return a value as JSON has it: dicts, lists, strings, numbers, booleans, None.

    Raises:
        TypeError: If the value holds something that has no plain form.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, type):
        return f'{value.__module__}.{value.__qualname__}'
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if hasattr(value, 'tolist'):
        return value.tolist()
    raise TypeError(f'cannot fingerprint a {type(value).__name__}: {value!r}')


def fingerprint(value: Any) -> str:
    """Return 16 hex digits that address a plain value, whatever the order of its keys.

    Args:
        value: Nested mappings, sequences, numpy arrays, paths, classes, strings, numbers.

    Raises:
        TypeError: If the value holds something that has no plain form.
    """
    text = json.dumps(plain(value), sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_LENGTH]


def lines_fingerprint(lines: Iterable[str]) -> str:
    """Return 16 hex digits that address a sequence of lines, read one by one."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
        digest.update(b'\n')
    return digest.hexdigest()[:FINGERPRINT_LENGTH]


def file_fingerprint(path: str | os.PathLike[str]) -> str:
    """Return 16 hex digits that address a file's content.

    A file is read once, unless it has changed or may be about to.
    """
    found = os.stat(path)
    state = (str(path), found.st_size, found.st_mtime_ns, found.st_ino)
    if state in _READ:
        return _READ[state]
    with open(path, 'rb') as file:
        made = hashlib.file_digest(file, 'sha256').hexdigest()[:FINGERPRINT_LENGTH]
    # One that was just written may be written again within the clock's resolution.
    if time.time() - found.st_mtime > _SETTLED_SECONDS:
        _READ[state] = made
    return made
