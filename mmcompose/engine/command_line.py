"""What the tools share: MMDetection's own scripts, and one line for a user's mistake."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import mmdet

from mmcompose.utils import UserError, problem

USER_ERROR = 2


def run_tool(main: Callable[[], None]) -> None:
    """Run a tool; a user's mistake ends it with its lines and exit code 2, no traceback."""
    try:
        main()
    except UserError as error:
        for line in error.problems:
            sys.stderr.write(f'error: {line}\n')
        sys.exit(USER_ERROR)


def run_mmdet_tool(name: str) -> None:
    """Run a script of the installed MMDetection with this process's arguments.

    Args:
        name: ``'train'`` or ``'test'``.

    Raises:
        UserError: If the config that is named does not exist.
    """
    config = next((a for a in sys.argv[1:] if not a.startswith('-')), None)
    if config is not None and not Path(config).is_file():
        folder = Path(config).parent
        near = map(str, folder.glob('*.py')) if folder.is_dir() else ()
        raise UserError(problem('config', config, 'is no file', near))
    script = Path(mmdet.__file__).parent / '.mim' / 'tools' / f'{name}.py'
    if not script.is_file():
        raise UserError(f'{script}: is missing from the installed MMDetection; reinstall mmdet')
    runpy.run_path(str(script), run_name='__main__')
