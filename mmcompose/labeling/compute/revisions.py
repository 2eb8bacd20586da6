"""What addresses the code of a step: the revisions of its classes, not the text of their files."""

from __future__ import annotations

import sys
from typing import Any

from mmcompose.utils import file_fingerprint

_OWN = 'mmcompose'


def revisions_of(step: object) -> list[Any]:
    """Return plain values that change when a step computes something else.

    Each class of this package that a step is made of counts by its name and ``revision``, so that
    labels stay where a comment changes or a file moves; ``tests/labeling/test_golden.py`` fails
    where results change without a new revision. A class of another package counts by the content
    of its file, too.

    Args:
        step: A label transform, with the methods that it holds.
    """
    classes = [cls for cls in type(step).__mro__ if _package(cls) not in sys.stdlib_module_names]
    own = [_revision(cls) for cls in classes]
    parts = [each for _, each in sorted(vars(step).items()) if hasattr(type(each), 'revision')]
    return [*own, *(revisions_of(each) for each in parts)]


def _package(cls: type) -> str:
    return cls.__module__.split('.')[0]


def _revision(cls: type) -> list[Any]:
    revision = getattr(cls, 'revision', None)
    if _package(cls) == _OWN:
        return [cls.__qualname__, revision]
    file = getattr(sys.modules.get(cls.__module__), '__file__', None)
    name = f'{cls.__module__}.{cls.__qualname__}'
    return [name, revision, file_fingerprint(file) if file else None]
