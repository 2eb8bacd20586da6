"""Make pseudo-labels where they are missing, train the student, validate it: MMDet's train.py."""

from __future__ import annotations

from argparse import Namespace

from mmcompose.commands.verbs.plan import run as run_plan

# MMDetection's script parses the arguments.
PASSES_ON = True


def run(args: Namespace) -> None:
    """Train as MMDetection's script does; with ``--dry-run`` show the plan instead."""
    from mmcompose.commands.config_files import read_compose_config
    from mmcompose.commands.mmdet_tools import (
        check_named_checkpoint,
        check_scaling,
        parse_mmdet_arguments,
        run_mmdet_tool,
    )

    script, given = parse_mmdet_arguments('train', args.arguments)
    if given.dry_run:
        config = read_compose_config(given.config, given.cfg_options)
        if given.work_dir is not None:
            config.work_dir = given.work_dir
        check_named_checkpoint('train', given)
        check_scaling(config, given)
        run_plan(Namespace(config=config, cfg_options=None, timed_images=0))
    else:
        run_mmdet_tool('train', script, given)
