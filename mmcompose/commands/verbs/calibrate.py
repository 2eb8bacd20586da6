"""Fit what a config's label pipeline learns from a few labeled images: curves and thresholds."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mmcompose.commands.arguments import add_config


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    add_config(parser)
    parser.add_argument(
        '--ann', dest='ann_file', required=True, help='a COCO json of labeled images'
    )
    parser.add_argument(
        '--img-prefix',
        help='their folder; default: that which CONFIG has for this file, else that of the '
        'validation set or the pool',
    )
    parser.add_argument('--out', help='the file of a single step; default: its learned_file')
    parser.add_argument('--folds', type=int, default=5, help='for the figures on held-out images')
    parser.add_argument(
        '--drop-unmapped', action='store_true', help='leave out boxes of classes nobody maps'
    )


def run(args: Namespace) -> None:
    """Fit, and print precision and calibration error before and after."""
    from mmcompose.commands.calibrate import calibrate
    from mmcompose.commands.config_files import read_compose_config
    from mmcompose.commands.console import console
    from mmcompose.evaluation import calibration_table

    config = read_compose_config(args.config, args.cfg_options)
    made = calibrate(
        config, args.ann_file, args.img_prefix, args.out, args.folds, args.drop_unmapped
    )
    out = console()
    out.print(calibration_table(made.rows, args.folds))
    for line in made.learned:
        out.print(line)
    for key, path in made.files.items():
        named = f'which {key} names' if args.out is None else f'to be named by {key}'
        out.print(f'of {made.images} labeled images: {path}, {named}')
