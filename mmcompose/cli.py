"""The command ``mmcompose``: a verb and its arguments."""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module
from types import FrameType, ModuleType

from mmcompose.utils import UserError, problem
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
# As a shell reports a process that SIGINT ended.
INTERRUPTED = 128 + signal.SIGINT


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
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if verb not in VERBS:
            raise UserError(problem('mmcompose', verb, 'is no verb; see mmcompose --help', VERBS))
        found = module(verb)
        found.run(_parsed(verb, found, arguments))
    except UserError as error:
        for line in error.lines:
            sys.stderr.write(f'error: {line}\n')
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        sys.stderr.write('interrupted; what was made so far is kept\n')
        sys.exit(INTERRUPTED)


def module(verb: str) -> ModuleType:
    """Return a verb's module; see :mod:`mmcompose.commands.verbs`."""
    return import_module(f'mmcompose.commands.verbs.{verb.replace("-", "_")}')


def _parsed(verb: str, found: ModuleType, arguments: Sequence[str]) -> Namespace:
    if getattr(found, 'PASSES_ON', False):
        return Namespace(arguments=list(arguments))
    parser = ArgumentParser(f'mmcompose {verb}', description=found.__doc__)
    found.add_arguments(parser)
    return parser.parse_args(arguments)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
