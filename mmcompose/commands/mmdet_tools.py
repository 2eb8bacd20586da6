"""MMDetection's own scripts, after a look at the files and options that they are given."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import mmdet
from mmengine.config import Config
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.runner import find_latest_checkpoint

from mmcompose.checks.check_files import check_checkpoint
from mmcompose.commands.arguments import OptionsAction
from mmcompose.commands.config_files import merge_options, read_config_file
from mmcompose.commands.one_line_parser import OneLineParser
from mmcompose.registry import RUNNERS
from mmcompose.utils import UserError, fault, log, problem

# What a verb offers beside the script's own arguments.
OWN_FLAGS = {'train': {'--dry-run': 'show the plan instead; nothing is made'}, 'test': {}}


# What MMEngine's runner asserts when it has built the rest.
_LOOPS = {
    'train': ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    'test': ('test_dataloader', 'test_cfg', 'test_evaluator'),
}


def run_mmdet_tool(name: str, script: ModuleType, given: Namespace) -> None:
    """Run a script of the installed MMDetection on the command line that was parsed last.

    Args:
        name: ``'train'`` or ``'test'``.
        script: The script's module, as :func:`parse_mmdet_arguments` returned it.
        given: What it parsed.

    Raises:
        UserError: If the config or a checkpoint that is named cannot be read, the config lacks what
            the script needs, or ``--cfg-options`` lead nowhere in it.
    """
    config = read_config_file(given.config)
    merge_options(config, given.cfg_options or {})
    if config.get('model') is None:
        raise UserError(fault('model', f'is missing from {given.config}'))
    check_runner(config)
    for part in _LOOPS[name]:
        if config.get(part) is None:
            raise UserError(
                fault(part, f'is missing from {given.config}; mmcompose {name} needs it')
            )
    check_named_checkpoint(name, given)
    if name == 'train':
        check_scaling(config, given)
    if name == 'train' and given.resume == 'auto':
        _begin_where_there_is_none(config, given)
    # It parses the command line again, by the parser that parse_mmdet_arguments put into it.
    script.main()


def check_named_checkpoint(name: str, given: Namespace) -> None:
    """Check that the checkpoint of a command line is one, where it names any.

    Args:
        name: ``'train'`` or ``'test'``.
        given: What its script parsed.

    Raises:
        UserError: If it is not.
    """
    # Of train's, 'auto' is the last one in the work directory.
    checkpoint = given.checkpoint if name == 'test' else given.resume
    if checkpoint != 'auto':
        check_checkpoint('checkpoint' if name == 'test' else '--resume', checkpoint)


def check_scaling(config: Config, given: Namespace) -> None:
    """Check that ``--auto-scale-lr`` finds the batch size that the learning rate is of.

    Args:
        config: The config that train's script reads.
        given: What the script parsed.

    Raises:
        UserError: If it does not.
    """
    if given.auto_scale_lr and not {'enable', 'base_batch_size'} <= {
        *(config.get('auto_scale_lr') or ())
    }:
        expected = 'needs auto_scale_lr=dict(enable=False, base_batch_size=…) in the config'
        raise UserError(fault('--auto-scale-lr', expected))


def _begin_where_there_is_none(config: Config, given: Namespace) -> None:
    """Leave ``--resume`` out where the work directory holds no checkpoint.

    A run that was killed before its first one would begin anew without the weights of
    ``load_from``: MMDetection takes them out of the config for the option's sake.
    """
    # As the script has it.
    own = config.get('work_dir') or Path('work_dirs', Path(given.config).stem)
    work_dir = given.work_dir or own
    if find_latest_checkpoint(str(work_dir)) is not None:
        return
    log(f'{work_dir} holds no checkpoint to resume from: the run begins')
    parser = ArgumentParser(add_help=False)
    parser.add_argument('--resume', nargs='?')
    _, sys.argv[1:] = parser.parse_known_args(sys.argv[1:])


def parse_mmdet_arguments(name: str, arguments: Sequence[str]) -> tuple[ModuleType, Namespace]:
    """Parse a command line as a script of the installed MMDetection does, and ``OWN_FLAGS``.

    Args:
        name: ``'train'`` or ``'test'``.
        arguments: The script's command line; it becomes that of this process.

    Returns:
        The script as a module, and what it parses.

    Raises:
        UserError: With a line for each argument that is wrong.
    """
    script = Path(mmdet.__file__).parent / '.mim' / 'tools' / f'{name}.py'
    if not script.is_file():
        expected = 'is missing from the installed MMDetection; reinstall mmdet'
        raise UserError(fault('', f'{script}: {expected}'))
    sys.argv = [str(script), *arguments]
    spec = spec_from_file_location('mmdet_tool', script)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    # In place of those of argparse and MMEngine, whose mistakes are a usage and a line.
    parser = partial(_parser, name)
    vars(module).update(argparse=SimpleNamespace(ArgumentParser=parser), DictAction=OptionsAction)
    parsed: Namespace = module.parse_args()
    return module, parsed


def _parser(name: str, **kwargs: Any) -> OneLineParser:
    parser = OneLineParser(f'mmcompose {name}', **kwargs)
    for flag, what in OWN_FLAGS[name].items():
        parser.add_argument(flag, action='store_true', help=what)
    return parser


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
