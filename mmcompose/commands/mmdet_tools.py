"""MMDetection's own scripts, after a look at the files and options that they are given."""

from __future__ import annotations

import runpy
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import mmdet
from mmengine.config import Config
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS

from mmcompose.checks.check_files import check_checkpoint
from mmcompose.commands.arguments import OptionsAction
from mmcompose.commands.config_files import merge_options, read_config_file
from mmcompose.registry import RUNNERS
from mmcompose.utils import UserError, fault, problem

_CONFIGS = ('.py', '.json', '.yaml', '.yml')


def run_mmdet_tool(name: str, arguments: Sequence[str]) -> None:
    """Run a script of the installed MMDetection.

    Args:
        name: ``'train'`` or ``'test'``.
        arguments: The script's command line.

    Raises:
        UserError: If the config or a checkpoint that is named cannot be read, or
            ``--cfg-options`` lead nowhere in it.
    """
    parser = ArgumentParser(name, add_help=False, allow_abbrev=False)
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, default={})
    options = parser.parse_known_args(arguments)[0].cfg_options
    # By their endings, since an option's value may stand before them.
    for argument in arguments:
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
        expected = 'is missing from the installed MMDetection; reinstall mmdet'
        raise UserError(fault('', f'{script}: {expected}'))
    sys.argv = [str(script), *arguments]
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
