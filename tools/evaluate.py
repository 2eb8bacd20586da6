"""Print the composition table: teachers, fused labels, student and oracle on one labelled set."""

import argparse
import json
import sys
from pathlib import Path

from mmengine.config import DictAction
from rich.console import Console

from mmcompose.engine import read_compose_config, run_tool, score_config
from mmcompose.evaluation import composition_table, per_class_table


def main() -> None:
    """Parse arguments and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config with a composition')
    parser.add_argument('--student', help="the student's checkpoint")
    parser.add_argument('--oracle', help='a checkpoint of the same model, from true labels')
    parser.add_argument('--out', help='a JSON file for both tables')
    parser.add_argument('--score-floor', type=float, default=0.01, help='for every row alike')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    args = parser.parse_args()

    config = read_compose_config(args.config, args.cfg_options)
    table = score_config(config, args.student, args.oracle, args.score_floor)
    # In a file there is no terminal to tell the width.
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(composition_table(table))
    console.print(per_class_table(table))
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(json.dumps(table.to_dict(), indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
