"""Show a config's class space: who knows which class, and what may be amiss."""

import argparse

from mmengine.config import DictAction
from rich.console import Console
from rich.table import Table

from mmcompose.class_space import overview
from mmcompose.composition import Composition
from mmcompose.engine import read_compose_config, run_tool


def main() -> None:
    """Parse arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config with a composition')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    args = parser.parse_args()

    config = read_compose_config(args.config, args.cfg_options)
    space = Composition.from_config(config.composition.to_dict()).class_space
    seen = overview(space)
    table = Table('student class', 'owners', *space.teachers)
    for name, names in seen.rows:
        told = [', '.join(names.get(teacher, [])) for teacher in space.teachers]
        table.add_row(name, str(len(names)), *told)
    console = Console(highlight=False)
    console.print(table)
    for teacher, names in seen.dropped.items():
        console.print(f'{teacher}: {len(names)} classes are dropped: {", ".join(names)}')
    if seen.without_owner:
        console.print(f'owned by nobody: {", ".join(seen.without_owner)}')
    for first, second in seen.alike:
        console.print(f'look alike, and are two classes: {first!r} and {second!r}')


if __name__ == '__main__':
    run_tool(main)
