"""Show a config's class space: who knows which class, and what may be amiss."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mmcompose.commands.arguments import add_config


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    add_config(parser)


def run(args: Namespace) -> None:
    """Print the tables."""
    from mmcompose.commands.config_files import read_compose_config
    from mmcompose.commands.console import console
    from mmcompose.engine import describe_classes
    from mmcompose.evaluation import class_space_table, co_occurrence_table

    config = read_compose_config(args.config, args.cfg_options)
    seen, together = describe_classes(config)
    out = console()
    out.print(class_space_table(seen))
    for teacher, names in seen.dropped.items():
        out.print(f'{teacher}: {len(names)} classes are dropped: {", ".join(names)}')
    if seen.without_owner:
        out.print(f'owned by nobody: {", ".join(seen.without_owner)}')
    for first, second, table in seen.tied:
        out.print(f'one class by the alias table {table!r}, two here: {first!r}, {second!r}')
    for first, second in seen.alike:
        out.print(f'look alike, and are two classes: {first!r} and {second!r}')
    if together is None:
        out.print('what lies on the same objects: not known before mmcompose label has run')
    elif together:
        out.print(co_occurrence_table(together))
