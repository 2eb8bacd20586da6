"""Test a trained student: MMDet's test.py."""

from __future__ import annotations

from argparse import Namespace

# MMDetection's script parses the arguments.
PASSES_ON = True


def run(args: Namespace) -> None:
    """Test as MMDetection's script does."""
    from mmcompose.commands.mmdet_tools import parse_mmdet_arguments, run_mmdet_tool

    run_mmdet_tool('test', *parse_mmdet_arguments('test', args.arguments))
