"""Look at a label store, verify every file of it, or tidy it up."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    acts = parser.add_subparsers(dest='act', required=True)
    for act, help_text in (
        ('info', 'what is in it'),
        ('verify', 'read every file through'),
        ('gc', 'remove what no run needs any more'),
        ('compact', 'merge small parts'),
    ):
        own = acts.add_parser(act, help=help_text)
        own.add_argument('location', help='a folder, or a URL such as s3://bucket/labels')
        if act == 'gc':
            own.add_argument(
                '--keep',
                nargs='+',
                default=[],
                metavar='CONFIG',
                help='remove what is made of teachers or picture features that no such config has',
            )


def run(args: Namespace) -> None:
    """Do what was named."""
    from mmcompose.commands import store
    from mmcompose.commands.console import console

    if args.act == 'info':
        _print_info(args.location)
    elif args.act == 'verify':
        console().print(f'{store.verify_store(args.location)} files are sound')
    elif args.act == 'gc':
        gone = store.collect_store_garbage(args.location, args.keep)
        console().print('\n'.join([*gone, f'{len(gone)} removed']))
    else:
        console().print(f'{store.compact_store(args.location)} parts merged')


def _print_info(location: str) -> None:
    from rich.table import Table

    from mmcompose.commands.console import console
    from mmcompose.commands.store import store_info

    table = Table('folder', 'made of')
    for name in ('pictures', 'unreadable', 'files', 'MB'):
        table.add_column(name, justify='right')
    for each in store_info(location):
        unreadable = '' if each.num_unreadable is None else str(each.num_unreadable)
        numbers = (str(each.num_images), unreadable, str(each.num_files))
        size = f'{each.num_bytes / 1e6:.1f}'
        table.add_row(each.path, ' '.join(each.made_of), *numbers, size)
    console().print(table)
