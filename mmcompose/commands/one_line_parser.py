"""The parser of command lines: every mistake is one line."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn


class OneLineParser(ArgumentParser):
    """Raises a mistake as one line, as everything here does, with the nearest option.

    Args:
        prog: How the command is typed.
        others: What may be meant by an option that is unknown, beside the options. Defaults to
            nothing.
        **kwargs: Of :class:`argparse.ArgumentParser`.
    """

    def __init__(self, prog: str, others: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(prog, **kwargs)
        self._others = others

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> Namespace:
        """Parse a command line; see :meth:`argparse.ArgumentParser.parse_args`.

        All options are looked at before any is parsed: argparse names missing ones alone, or the
        first.

        Raises:
            UserError: With a line for each option that is unknown; for the first other mistake.
        """
        from mmcompose.utils import UserError, problem

        arguments = sys.argv[1:] if args is None else args
        known = _options(self, arguments)
        expected = f'is no option; see {self.prog} --help'
        given = [each.partition('=')[0] for each in self._looking_like_options(arguments)]
        unknown = [each for each in given if not _is_known(each, known)]
        if unknown:
            near = [*(each for each in known if each.startswith('--')), *self._others]
            raise UserError(*(problem(self.prog, each, expected, near) for each in unknown))
        return super().parse_args(arguments, namespace)

    def _looking_like_options(self, arguments: Sequence[str]) -> Iterator[str]:
        """Yield what argparse takes for options: before ``--``, no number, without spaces."""
        for each in arguments:
            if each == '--':
                return
            is_number = self._negative_number_matcher.match(each)
            if each[:1] == '-' and each != '-' and ' ' not in each and not is_number:
                yield each

    def error(self, message: str) -> NoReturn:
        """See :meth:`argparse.ArgumentParser.error`.

        Raises:
            UserError: Always.
        """
        from mmcompose.utils import UserError, fault, problem

        see = f'see {self.prog} --help'
        _, _, unknown = message.partition('unrecognized arguments: ')
        if unknown:
            expected = f'is no argument; {see}'
            raise UserError(*(problem(self.prog, each, expected) for each in unknown.split()))
        raise UserError(fault(self.prog, f'{message}; {see}', is_absolute=True))


def _options(parser: ArgumentParser, arguments: Sequence[str]) -> list[str]:
    """Return the options of a command line, those of its subcommand too; of all if it has none."""
    options = list(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action.choices, Mapping):
            named = [name for name in action.choices if name in arguments]
            for name in named or action.choices:
                options += _options(action.choices[name], arguments)
    return options


def _is_known(given: str, known: Sequence[str]) -> bool:
    """Return whether an option is known, abbreviated (``--work``) or joined with its value too."""
    if given.startswith('--'):
        return any(option.startswith(given) for option in known)
    return any(given.startswith(option) for option in known if not option.startswith('--'))
