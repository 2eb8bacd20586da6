"""The command ``mmcompose``: a verb and its arguments."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

from mmcompose.commands.one_line_parser import OneLineParser
from mmcompose.interruption import Interruption
from mmcompose.known_warnings import mute_known_warnings
from mmcompose.version import __version__

if TYPE_CHECKING:
    from mmcompose.utils import Problem

# Each is a module of mmcompose.commands.verbs; in the order in which they are used.
VERBS = (
    'init',
    'plan',
    'class-space',
    'label',
    'train',
    'test',
    'evaluate',
    'report',
    'review',
    'export',
    'push',
    'calibrate',
    'split',
    'store',
    'convert-effdet',
)
USER_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line.

    Args:
        arguments: Without the command's own name. Defaults to those of this process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and not arguments[0].startswith('-'):
        run_verb(arguments[0], arguments[1:])
        return
    parser = OneLineParser(
        'mmcompose',
        VERBS,
        usage='mmcompose VERB ARGUMENTS\n       mmcompose VERB --help',
        description='Combine trained detectors into one, from unlabeled images alone.',
        epilog='\n'.join(('verbs:', *(f'  {verb:<16}{module(verb).__doc__}' for verb in VERBS))),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=__version__)
    from mmcompose.utils import UserError

    try:
        parser.parse_args(arguments)
    except UserError as error:
        _fail(error.problems)
    parser.print_help(sys.stderr)
    sys.exit(USER_ERROR)


def run_verb(verb: str, arguments: Sequence[str] | None = None) -> None:
    """Run a verb; a user's mistakes end the process with a line each, no traceback.

    Exit codes are 2 after a mistake, 130 after Ctrl-C or SIGTERM.

    Args:
        verb: One of :data:`VERBS`.
        arguments: Its arguments. Defaults to those of this process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    mute_known_warnings()
    with Interruption() as interruption:
        # Not before, for it takes a while.
        from mmcompose.utils import UserError, problem

        parser, parsed = OneLineParser(f'mmcompose {verb}'), Namespace()
        try:
            if verb not in VERBS:
                expected = 'is no verb; see mmcompose --help'
                raise UserError(problem('mmcompose', verb, expected, VERBS))
            found = module(verb)
            parsed = _parsed(parser, found, arguments)
            found.run(parsed)
        except UserError as error:
            flags = _flags(parser, parsed)
            # A worker that the same signal ended is no mistake.
            problems = () if interruption.happened else error.problems
            # A function names its own argument, which the verb has as an option.
            _fail(
                each if each.is_absolute else replace(each, key=flags.get(each.key, each.key))
                for each in problems
            )


def module(verb: str) -> ModuleType:
    """Return a verb's module; see :mod:`mmcompose.commands.verbs`."""
    return import_module(f'mmcompose.commands.verbs.{verb.replace("-", "_")}')


def _fail(problems: Iterable[Problem]) -> NoReturn:
    from mmcompose.utils import printable

    for each in problems:
        sys.stderr.write(f'error: {printable(str(each))}\n')
    sys.exit(USER_ERROR)


def _parsed(parser: OneLineParser, found: ModuleType, arguments: Sequence[str]) -> Namespace:
    if getattr(found, 'PASSES_ON', False):
        return Namespace(arguments=list(arguments))
    parser.description = found.__doc__
    found.add_arguments(parser)
    return parser.parse_args(arguments)


def _flags(parser: ArgumentParser, parsed: Namespace) -> dict[str, str]:
    """Return the options of a command line by the arguments of functions that they become."""
    flags: dict[str, str] = {}
    for action in parser._actions:
        if isinstance(action.choices, Mapping) and hasattr(parsed, action.dest):
            flags |= _flags(action.choices[getattr(parsed, action.dest)], parsed)
        elif action.option_strings:
            flags[action.dest] = action.option_strings[-1]
    return flags
