"""The command ``mmcompose``: a verb and its arguments."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from mmcompose.interruption import Interruption
from mmcompose.known_warnings import mute_known_warnings
from mmcompose.version import __version__

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


class _OneLineParser(ArgumentParser):
    """Tells a mistake in one line, as everything here does, with the nearest option."""

    def error(self, message: str) -> NoReturn:
        """See :meth:`argparse.ArgumentParser.error`.

        Raises:
            UserError: Always.
        """
        from mmcompose.utils import UserError, fault, problem

        see = f'see {self.prog} --help'
        _, _, unknown = message.partition('unrecognized arguments: ')
        if not unknown:
            raise UserError(fault(self.prog, f'{message}; {see}', is_absolute=True))
        option = unknown.split()[0].partition('=')[0]
        what = f'is no {"option" if option.startswith("-") else "argument"}; {see}'
        known = _options(self) if option.startswith('-') else []
        raise UserError(problem(self.prog, option, what, known))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line.

    Args:
        arguments: Without the command's own name. Defaults to those of this process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and not arguments[0].startswith('-'):
        run_verb(arguments[0], arguments[1:])
        return
    parser = ArgumentParser(
        'mmcompose',
        'mmcompose VERB ARGUMENTS\n       mmcompose VERB --help',
        'Combine trained detectors into one, from unlabeled images alone.',
        '\n'.join(('verbs:', *(f'  {verb:<16}{module(verb).__doc__}' for verb in VERBS))),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=__version__)
    parser.parse_args(arguments)
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
        from mmcompose.utils import UserError, printable, problem

        parser, parsed = _OneLineParser(f'mmcompose {verb}'), Namespace()
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
            for each in () if interruption.happened else error.problems:
                # A function names its own argument, which the verb has as an option.
                key = each.key if each.is_absolute else flags.get(each.key, each.key)
                sys.stderr.write(f'error: {printable(str(replace(each, key=key)))}\n')
            sys.exit(USER_ERROR)


def module(verb: str) -> ModuleType:
    """Return a verb's module; see :mod:`mmcompose.commands.verbs`."""
    return import_module(f'mmcompose.commands.verbs.{verb.replace("-", "_")}')


def _parsed(parser: ArgumentParser, found: ModuleType, arguments: Sequence[str]) -> Namespace:
    if getattr(found, 'PASSES_ON', False):
        return Namespace(arguments=list(arguments))
    parser.description = found.__doc__
    found.add_arguments(parser)
    return parser.parse_args(arguments)


def _options(parser: ArgumentParser) -> list[str]:
    """Return the options of a command line, those of its subcommands too."""
    options = list(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action.choices, Mapping):
            options += [name for below in action.choices.values() for name in _options(below)]
    return options


def _flags(parser: ArgumentParser, parsed: Namespace) -> dict[str, str]:
    """Return the options of a command line by the arguments of functions that they become."""
    flags: dict[str, str] = {}
    for action in parser._actions:
        if isinstance(action.choices, Mapping) and hasattr(parsed, action.dest):
            flags |= _flags(action.choices[getattr(parsed, action.dest)], parsed)
        elif action.option_strings:
            flags[action.dest] = action.option_strings[-1]
    return flags
