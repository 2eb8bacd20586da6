"""Arguments that several verbs take; imports no torch."""

from __future__ import annotations

import re
from argparse import ArgumentError, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction

# In place of a space, all of which MMEngine removes.
_SPACE = '\ue000'
# One of a value's elements, without the brackets, quotes and spaces around it.
_ELEMENT = re.compile(r"""[^,\[( '"][^,]*?(?=[\])'" ]*(?:,|$))""")


class OptionsAction(DictAction):
    """MMEngine's action of ``--cfg-options``, but for spaces inside a value, which stay.

    What is no option is argparse's message.
    """

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Keep ``key=value`` pairs as a dict."""
        pairs = []
        for given in values or ():
            key, sign, value = given.partition('=')
            if not sign:
                raise ArgumentError(self, f'{given!r} is not of the form key=value')
            pairs.append(f'{key}={_ELEMENT.sub(_without_spaces, value)}')
        super().__call__(parser, namespace, pairs, option_string)
        options = getattr(namespace, self.dest)
        setattr(namespace, self.dest, {key: _with_spaces(value) for key, value in options.items()})


def _without_spaces(element: re.Match[str]) -> str:
    return element[0].replace(' ', _SPACE)


def _with_spaces(parsed: Any) -> Any:
    if isinstance(parsed, (list, tuple)):
        return type(parsed)(map(_with_spaces, parsed))
    return parsed.replace(_SPACE, ' ') if isinstance(parsed, str) else parsed


def add_config(parser: ArgumentParser) -> None:
    """Add a config with a composition, and options that change it."""
    parser.add_argument('config', help='a config with a composition')
    parser.add_argument(
        '--cfg-options', nargs='+', action=OptionsAction, help='key=value: changes of the config'
    )


def add_scored(parser: ArgumentParser) -> None:
    """Add what is scored beside teachers and labels, and on what."""
    parser.add_argument('--student', help="the student's checkpoint")
    parser.add_argument('--oracle', help='a checkpoint of the same model, from true labels')
    parser.add_argument(
        '--ann', dest='ann_file', help='a COCO json of true labels; default: the validation set'
    )
    parser.add_argument('--img-prefix', help='the folder of the images of --ann')
