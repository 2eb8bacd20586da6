"""Print the composition table: teachers, fused labels, student and oracle on one labelled set."""

import argparse
import sys

from rich.console import Console

from mmcompose.commands import OptionsAction, evaluate_config, read_compose_config, run_tool
from mmcompose.evaluation import composition_table, per_class_table
from mmcompose.utils import check_writable, write_json


def main() -> None:
    """Parse arguments and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config with a composition')
    parser.add_argument('--student', help="the student's checkpoint")
    parser.add_argument('--oracle', help='a checkpoint of the same model, from true labels')
    parser.add_argument('--out', help='a JSON file for both tables')
    parser.add_argument('--score-floor', type=float, default=0.01, help='for every row alike')
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    args = parser.parse_args()

    config = read_compose_config(args.config, args.cfg_options)
    if args.out:
        check_writable('--out', args.out)
    table = evaluate_config(config, args.student, args.oracle, args.score_floor)
    # In a file there is no terminal to tell the width.
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(composition_table(table))
    console.print(per_class_table(table))
    if args.out:
        write_json('--out', args.out, table.to_dict())


if __name__ == '__main__':
    run_tool(main)
