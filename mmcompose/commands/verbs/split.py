"""Split a COCO json into labeled parts (1, 5, 10 %, or counts) and the unlabeled rest."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    parser.add_argument('annotations', help='a COCO json')
    parser.add_argument(
        '--percent', dest='percents', type=float, nargs='+', default=[], help='e.g. 1 5 10'
    )
    parser.add_argument('--counts', type=int, nargs='+', default=[], help='sizes in images')
    parser.add_argument('--folds', type=int, default=1, help='how many times to split anew')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', default='.', help='the folder to write to')
    parser.add_argument('--allow', nargs='+', default=[], help='checks whose finds are warnings')


def run(args: Namespace) -> None:
    """Write the splits and print what is in them."""
    from rich.table import Table

    from mmcompose.commands.console import console
    from mmcompose.datasets import split_coco
    from mmcompose.utils import UserError, allowing, check_names

    if wrong := check_names('--allow', args.allow):
        raise UserError(*wrong)
    sizes = (args.percents, args.counts, args.folds, args.seed)
    with allowing(args.allow):
        files = split_coco(args.annotations, *sizes, args.out)
    table = Table('labeled part', 'images', 'classes lost', 'the rest')
    for each in files:
        lost = ', '.join(each.lost) or 'none'
        table.add_row(str(each.labeled), str(each.num_images), lost, str(each.unlabeled))
    console(width=200).print(table)
