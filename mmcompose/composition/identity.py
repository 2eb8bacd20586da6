"""What addresses a teacher's predictions: its config, and the content of its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmcompose.teachers import Teacher
from mmcompose.utils import file_fingerprint, fingerprint

# A folder that happens to bear the name of a class or data set is no part of the teacher.
_NAMES = ('type', 'classes', 'texts', 'device')


def teacher_identity(config: Mapping[str, Any], teacher: Teacher) -> str:
    """Return a fingerprint of all that decides what a teacher predicts on an image.

    Values of the config that name files or folders stand for their content, so that moving a
    checkpoint keeps its predictions and overwriting it does not.
    """
    return fingerprint({'config': content_of(config), 'identity': teacher.identity})


def content_of(value: Any) -> Any:
    """Return a config with the content's fingerprint in place of each file or folder it names."""
    if isinstance(value, Mapping):
        return {
            name: item if name in _NAMES and not _is_file(item) else content_of(item)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [content_of(item) for item in value]
    if _is_file(value):
        return {'file': file_fingerprint(value)}
    if isinstance(value, str) and value and Path(value).is_dir():
        files = sorted(path for path in Path(value).rglob('*') if path.is_file())
        return {'folder': [[str(f.relative_to(value)), file_fingerprint(f)] for f in files]}
    return value


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and Path(value).is_file()
