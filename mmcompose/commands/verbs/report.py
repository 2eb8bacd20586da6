"""Write the composition card: a page that shows what was composed, and a model hub's card.md."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mmcompose.commands.arguments import add_config, add_scored


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    add_config(parser)
    add_scored(parser)
    parser.add_argument('--out', help="a folder; default: the student's, else the work directory")
    parser.add_argument('--pictures', type=int, default=200, help='how many, at most 500')


def run(args: Namespace) -> None:
    """Write the card."""
    from mmcompose.commands.report import report

    options = {
        name: getattr(args, name)
        for name in ('student', 'oracle', 'out', 'pictures', 'ann_file', 'img_prefix')
    }
    report(args.config, **options, cfg_options=args.cfg_options)
