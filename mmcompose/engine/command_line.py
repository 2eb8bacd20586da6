"""What the tools share: MMDetection's own scripts, and one line for a user's mistake."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import mmdet

from mmcompose.utils import UserError, no_file

USER_ERROR = 2
_CONFIGS = ('.py', '.json', '.yaml', '.yml')


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
    # By its ending, since an option's value may stand before it.
    config = next((argument for argument in sys.argv[1:] if argument.endswith(_CONFIGS)), None)
    if config is not None and '=' not in config and not Path(config).is_file():
        raise UserError(no_file('config', config))
    script = Path(mmdet.__file__).parent / '.mim' / 'tools' / f'{name}.py'
    if not script.is_file():
        raise UserError(f'{script}: is missing from the installed MMDetection; reinstall mmdet')
    runpy.run_path(str(script), run_name='__main__')
