"""Show a config's class space: who knows which class, and what may be amiss."""

import argparse
import sys

from rich.console import Console

from mmcompose.commands import OptionsAction, read_compose_config, run_tool
from mmcompose.engine import describe_classes
from mmcompose.evaluation import class_space_table, co_occurrence_table


def main() -> None:
    """Parse arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config with a composition')
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    args = parser.parse_args()

    config = read_compose_config(args.config, args.cfg_options)
    seen, together = describe_classes(config)
    # In a file there is no terminal to tell the width.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    console.print(class_space_table(seen))
    for teacher, names in seen.dropped.items():
        console.print(f'{teacher}: {len(names)} classes are dropped: {", ".join(names)}')
    if seen.without_owner:
        console.print(f'owned by nobody: {", ".join(seen.without_owner)}')
    for first, second, table in seen.tied:
        console.print(f'one class by the alias table {table!r}, two here: {first!r}, {second!r}')
    for first, second in seen.alike:
        console.print(f'look alike, and are two classes: {first!r} and {second!r}')
    if together is None:
        console.print('what lies on the same objects: not known before tools/label.py has run')
    elif together:
        console.print(co_occurrence_table(together))


if __name__ == '__main__':
    run_tool(main)
