"""What addresses a teacher's predictions: its config, and the content of its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmcompose.teachers import Teacher
from mmcompose.utils import file_fingerprint, fingerprint


def teacher_identity(config: Mapping[str, Any], teacher: Teacher) -> str:
    """Return a fingerprint of all that decides what a teacher says of an image.

    Values of the config that name files or folders stand for their content, so that moving a
    checkpoint keeps its predictions and overwriting it does not.
    """
    return fingerprint({'config': _content(config), 'identity': teacher.identity})


def _content(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _content(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_content(item) for item in value]
    if isinstance(value, str) and value and Path(value).is_file():
        return {'file': file_fingerprint(value)}
    if isinstance(value, str) and value and Path(value).is_dir():
        files = sorted(path for path in Path(value).rglob('*') if path.is_file())
        return {'folder': [[str(f.relative_to(value)), file_fingerprint(f)] for f in files]}
    return value
