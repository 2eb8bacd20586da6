"""Arguments that several verbs take; imports no torch."""

from __future__ import annotations

from argparse import ArgumentError, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction


class OptionsAction(DictAction):
    """MMEngine's action of ``--cfg-options``, with argparse's message for what is no option."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Keep ``key=value`` pairs as a dict."""
        for value in values or ():
            if '=' not in value:
                raise ArgumentError(self, f'{value!r} is not of the form key=value')
        super().__call__(parser, namespace, values, option_string)


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
