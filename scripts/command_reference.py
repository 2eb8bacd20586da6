"""Write docs/commands.md: what `--help` tells of each verb.

python scripts/command_reference.py
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path
from unittest.mock import patch

from mmcompose.cli import VERBS, main, module
from mmcompose.commands.mmdet_tools import OWN_FLAGS

OUT = Path(__file__).resolve().parents[1] / 'docs' / 'commands.md'
HEAD = """# Every command

What `--help` tells, written by `python scripts/command_reference.py`. The scripts of `tools/` are
these verbs: `python tools/train.py CONFIG` is `mmcompose train CONFIG`. Exit codes are 2 after a
mistake of yours, told in a line each, and 130 after an interrupt.
"""
_WIDTH = '100'


def write() -> None:
    """Write the page."""
    OUT.write_text(page(), encoding='utf-8')


def page() -> str:
    """Return the page's text."""
    return '\n'.join([HEAD, *(_entry(verb) for verb in VERBS)])


def _entry(verb: str) -> str:
    told = help_of(verb)
    found = module(verb)
    if getattr(found, 'PASSES_ON', False):
        # MMDetection's script tells the rest.
        usage = told.partition('\n\n')[0].strip()
        own = [f'`{flag}`: {what}.\n' for flag, what in OWN_FLAGS[verb].items()]
        return '\n'.join([f'## {verb}\n\n{found.__doc__}\n\n```text\n{usage}\n```\n', *own])
    parts = [told]
    # A verb of verbs: {info,verify,…}.
    of_verbs = re.search(r'^usage: .*\{([\w,-]+)\} \.\.\.', told, re.MULTILINE)
    if of_verbs:
        parts += [help_of(verb, each) for each in of_verbs[1].split(',')]
    blocks = '\n\n'.join(f'```text\n{each.strip()}\n```' for each in parts)
    return f'## {verb}\n\n{blocks}\n'


def help_of(*verbs: str) -> str:
    """Return what a verb, or the verb of a verb, tells with ``--help``."""
    told = io.StringIO()
    with (
        patch.dict(os.environ, COLUMNS=_WIDTH),
        contextlib.redirect_stdout(told),
        contextlib.suppress(SystemExit),
    ):
        main([*verbs, '--help'])
    return told.getvalue()


if __name__ == '__main__':
    write()
