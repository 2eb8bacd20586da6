"""Make pseudo-labels where they are missing, train the student, validate it: MMDet's train.py."""

from __future__ import annotations

from argparse import Namespace

from mmcompose.commands.verbs.plan import run as run_plan

# MMDetection's script parses the arguments.
PASSES_ON = True


def run(args: Namespace) -> None:
    """Train as MMDetection's script does; with ``--dry-run`` show the plan instead."""
    from mmcompose.commands.mmdet_tools import parse_mmdet_arguments, run_mmdet_tool

    script, given = parse_mmdet_arguments('train', args.arguments)
    if given.dry_run:
        run_plan(Namespace(config=given.config, cfg_options=given.cfg_options, timed_images=0))
    else:
        run_mmdet_tool('train', script, given)
