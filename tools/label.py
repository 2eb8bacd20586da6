"""Make the pseudo-labels of a config ahead of training: here, or under torchrun or slurm."""

import argparse

from mmcompose.commands import OptionsAction, label, read_compose_config, run_tool


def main() -> None:
    """Parse arguments, make the labels and say how many there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config with a composition')
    parser.add_argument(
        '--workers', type=int, help='processes on this machine; default: one a core'
    )
    parser.add_argument('--export', help='a COCO json for the labels')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    args = parser.parse_args()

    config = read_compose_config(args.config, args.cfg_options)
    if args.workers is not None:
        config.composition.workers = args.workers
    label(config, export=args.export, launcher=args.launcher)


if __name__ == '__main__':
    run_tool(main)
