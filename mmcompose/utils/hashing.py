"""Fingerprints: the address of a thing by all that made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FINGERPRINT_LENGTH = 16


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: dicts, lists, strings, numbers, booleans, None.

    Raises:
        TypeError: If the value holds something that has no plain form.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if hasattr(value, 'tolist'):
        return value.tolist()
    raise TypeError(f'cannot fingerprint a {type(value).__name__}: {value!r}')


def fingerprint(value: Any) -> str:
    """Return 16 hex digits that address a plain value, whatever the order of its keys.

    Args:
        value: Nested mappings, sequences, numpy arrays, paths, strings, numbers.

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


def file_fingerprint(path: str | Path) -> str:
    """Return 16 hex digits that address a file's content."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()[:FINGERPRINT_LENGTH]
