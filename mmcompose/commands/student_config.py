"""The config that a student starts from, as somebody names it."""

from __future__ import annotations

import os
from pathlib import Path

from mmcompose.prerequisites import package_folder
from mmcompose.utils import UserError, problem

_SCOPE = 'mmdet::'


def student_base(student: str, out: Path) -> str:
    """Return the entry of ``_base_`` that a config has for its student.

    Args:
        student: A file, the name of one of MMDetection's configs, or ``package::path.py``.
        out: The config that will name it.

    Raises:
        UserError: If there is no such config.
    """
    if Path(student).is_file():
        return os.path.relpath(student, out.absolute().parent)
    scope, mark, _ = student.partition('::')
    if mark and f'{scope}{mark}' != _SCOPE:
        return student
    package = package_folder('mmdet')
    # Importing mmcompose has looked for it.
    assert package is not None
    folder = package / '.mim' / 'configs'
    shipped = {
        path.stem: f'{_SCOPE}{path.relative_to(folder).as_posix()}'
        for path in folder.rglob('*.py')
        if '_base_' not in path.parts
    }
    if student in shipped.values():
        return student
    if student.removesuffix('.py') in shipped:
        return shipped[student.removesuffix('.py')]
    known = shipped.values() if mark else shipped
    raise UserError(problem('student', student, 'is no file and no config of MMDetection', known))
