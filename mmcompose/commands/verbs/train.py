"""Make pseudo-labels where they are missing, train the student, validate it: MMDet's train.py."""

from __future__ import annotations

from argparse import Namespace

from mmcompose.commands.arguments import add_config
from mmcompose.commands.one_line_parser import OneLineParser
from mmcompose.commands.verbs.plan import run as run_plan

# MMDetection's script parses the arguments.
PASSES_ON = True


def run(args: Namespace) -> None:
    """Train as MMDetection's script does; with ``--dry-run`` show the plan instead."""
    if '--dry-run' in args.arguments:
        parser = OneLineParser('mmcompose train')
        parser.add_argument('--dry-run', action='store_true')
        add_config(parser)
        named, _ = parser.parse_known_args(args.arguments)
        run_plan(Namespace(config=named.config, cfg_options=named.cfg_options, timed_images=0))
        return
    from mmcompose.commands.mmdet_tools import run_mmdet_tool

    run_mmdet_tool('train', args.arguments)
