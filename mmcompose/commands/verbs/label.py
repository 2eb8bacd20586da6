"""Make the pseudo-labels of a config ahead of training: here, under a launcher, or on Ray."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mmcompose.commands.arguments import add_config
from mmcompose.commands.verbs.plan import run as run_plan

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi', 'ray')


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    add_config(parser)
    parser.add_argument(
        '--workers',
        type=int,
        help='processes on this machine, or readers for each GPU; default: one a core',
    )
    parser.add_argument('--export', help='a COCO json that the labels are also written to')
    parser.add_argument('--dry-run', action='store_true', help='show the plan; nothing is written')
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    parser.add_argument('--address', help='of a Ray cluster, with --launcher ray')


def run(args: Namespace) -> None:
    """Make the labels and log how many there are."""
    from mmcompose.commands.config_files import read_compose_config
    from mmcompose.utils import check_writable

    config = read_compose_config(args.config, args.cfg_options)
    if args.workers is not None:
        config.composition.workers = args.workers
    if args.dry_run:
        if args.export is not None:
            check_writable('--export', args.export)
        run_plan(Namespace(config=config, cfg_options=None, timed_images=0))
        return
    from mmcompose.commands.label import label

    label(config, args.launcher, args.export, args.address)
