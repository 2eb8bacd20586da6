"""Fit what a config's label pipeline learns from a few labelled images: curves and thresholds."""

import argparse
import sys

from rich.console import Console

from mmcompose.commands import OptionsAction, calibrate, read_compose_config, run_tool
from mmcompose.evaluation import calibration_table


def main() -> None:
    """Parse arguments, fit, and print precision and calibration error before and after."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config with a composition')
    parser.add_argument('--ann', required=True, help='a COCO json of labelled images')
    parser.add_argument('--img-prefix', help="their folder; default: the validation set's")
    parser.add_argument('--out', help='the file of a single step; default: its learned_file')
    parser.add_argument('--folds', type=int, default=5, help='for the figures on held-out images')
    parser.add_argument(
        '--drop-unmapped', action='store_true', help='leave out boxes of classes nobody maps'
    )
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    args = parser.parse_args()

    config = read_compose_config(args.config, args.cfg_options)
    made = calibrate(config, args.ann, args.img_prefix, args.out, args.folds, args.drop_unmapped)
    # In a file there is no terminal to tell the width.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    console.print(calibration_table(made.rows, args.folds))
    for line in made.learned:
        console.print(line)
    for key, path in made.files.items():
        console.print(f'of {made.images} labelled images: {path}, which {key} names')


if __name__ == '__main__':
    run_tool(main)
