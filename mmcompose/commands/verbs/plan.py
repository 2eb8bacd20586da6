"""Show what a config would do: teachers, classes, pool, what is stored, and every mistake."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mmcompose.commands.arguments import add_config


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    add_config(parser)
    parser.add_argument(
        '--time',
        dest='timed_images',
        type=int,
        default=0,
        metavar='IMAGES',
        help='time the teachers on a few images',
    )


def run(args: Namespace) -> None:
    """Print the plan; exit code 2 where there are mistakes."""
    from mmcompose.commands.config_files import read_compose_config
    from mmcompose.commands.plan import plan
    from mmcompose.commands.plan_text import print_plan
    from mmcompose.utils import UserError

    made = plan(read_compose_config(args.config, args.cfg_options), args.timed_images)
    print_plan(made)
    if made.mistakes:
        raise UserError(*made.mistakes)
