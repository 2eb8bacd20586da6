"""What the tools share: MMDetection's own scripts, and one line for a user's mistake."""

from __future__ import annotations

import runpy
import sys
from argparse import ArgumentError, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mmdet
from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS

from mmcompose.checks.preflight import check_checkpoint
from mmcompose.commands.config_files import merge_options, read_config_file
from mmcompose.registry import RUNNERS
from mmcompose.utils import UserError, fault, problem

USER_ERROR = 2
_CONFIGS = ('.py', '.json', '.yaml', '.yml')


class OptionsAction(DictAction):
    """MMEngine's action of ``--cfg-options``, with argparse's message for what is no option."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Take ``key=value`` pairs down as a dict."""
        for value in values or ():
            if '=' not in value:
                raise ArgumentError(self, f'{value!r} is not of the form key=value')
        super().__call__(parser, namespace, values, option_string)


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
        UserError: If the config or a checkpoint that is named cannot be read, or
            ``--cfg-options`` lead nowhere in it.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, default={})
    options = parser.parse_known_args()[0].cfg_options
    # By their endings, since an option's value may stand before them.
    for argument in sys.argv[1:]:
        if argument.endswith(_CONFIGS) and '=' not in argument:
            config = read_config_file(argument)
            merge_options(config, options)
            if config.get('model') is None:
                raise UserError(fault('model', f'is missing from {argument}'))
            check_runner(config)
        elif argument.endswith('.pth') and '=' not in argument:
            check_checkpoint('checkpoint', argument)
    script = Path(mmdet.__file__).parent / '.mim' / 'tools' / f'{name}.py'
    if not script.is_file():
        raise UserError(
            fault('', f'{script}: is missing from the installed MMDetection; reinstall mmdet')
        )
    runpy.run_path(str(script), run_name='__main__')


def check_runner(config: Config) -> None:
    """Check that the runner that a config names is registered.

    Raises:
        UserError: If it is not.
    """
    kind = config.get('runner_type')
    if isinstance(kind, str) and RUNNERS.get(kind) is None:
        known = [*MMENGINE_RUNNERS.module_dict, *(f'mmcompose.{n}' for n in RUNNERS.module_dict)]
        expected = 'is not a registered runner; is its module in custom_imports?'
        raise UserError(problem('runner_type', kind, expected, known))
