"""Files of learned values: JSON that a tool wrote and a config names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmcompose.utils import UserError, problem, write_json


def write_learned(path: str | Path, transform: str, learned: Mapping[str, Any]) -> None:
    """Write what a transform learned.

    Args:
        path: The file; its folder is made.
        transform: The name of the class that learned it.
        learned: Its ``learned``.
    """
    write_json('learned_file', path, {'transform': transform, 'learned': dict(learned)})


def read_learned(path: str | Path, transform: str) -> dict[str, Any]:
    """Return what :func:`write_learned` wrote.

    Raises:
        UserError: If the file cannot be read, or another transform learned it.
    """
    key = 'learned_file'
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(problem(key, str(path), f'cannot be read: {error}')) from error
    if not isinstance(content, dict) or not isinstance(content.get('learned'), dict):
        raise UserError(problem(key, str(path), 'holds nothing that a label transform learned'))
    if content.get('transform') != transform:
        raise UserError(
            problem(key, str(path), f'was learned by {content.get("transform")}, not {transform}')
        )
    return dict(content['learned'])
