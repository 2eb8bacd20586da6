"""What addresses a teacher's predictions: its config, and the content of its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmcompose.teachers.base import Teacher
from mmcompose.utils import content_of, fingerprint


def teacher_identity(config: Mapping[str, Any], teacher: Teacher) -> str:
    """Return a fingerprint of all that decides what a teacher predicts on an image.

    Moving a checkpoint keeps its predictions, overwriting it does not.

    Args:
        config: Its config dict, without ``weight``.
        teacher: What was built of it.
    """
    content = content_of(config, type(teacher), teacher.unaddressed)
    return fingerprint({'config': content, 'identity': teacher.identity})
