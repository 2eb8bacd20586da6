"""Print the composition table: teachers, fused labels, student and oracle on one labeled set."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mmcompose.commands.arguments import add_config, add_scored


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    add_config(parser)
    add_scored(parser)
    parser.add_argument('--out', help='a JSON file for both tables')
    parser.add_argument('--score-floor', type=float, default=0.01, help='for every row alike')


def run(args: Namespace) -> None:
    """Score, and print both tables."""
    from mmcompose.commands.config_files import read_compose_config
    from mmcompose.commands.console import console
    from mmcompose.commands.evaluate import evaluate_config
    from mmcompose.evaluation import composition_table, per_class_table
    from mmcompose.utils import check_writable, write_json

    config = read_compose_config(args.config, args.cfg_options)
    if args.out:
        check_writable('--out', args.out)
    table = evaluate_config(
        config, args.student, args.oracle, args.score_floor, args.ann_file, args.img_prefix
    )
    out = console(highlight=True)
    out.print(composition_table(table))
    out.print(per_class_table(table))
    if args.out:
        write_json('--out', args.out, table.to_dict())
