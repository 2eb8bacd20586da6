"""Look at a run's other files: checkpoints, and what started its processes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from mmcompose.teachers import read_checkpoint
from mmcompose.utils import UserError, no_file, problem

# What a launcher sets for each process that it starts.
LAUNCHER_VARIABLES = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}


def check_checkpoint(key: str, path: str | None) -> None:
    """Check that a file of weights, where one is named, can be read; one at a URL is not fetched.

    Raises:
        UserError: If it is missing, is no checkpoint, or holds more than weights.
    """
    if not path or '://' in path:
        return
    if not Path(path).is_file():
        raise UserError(no_file(key, path, like=f'*{Path(path).suffix}'))
    try:
        read_checkpoint(path, trust=None)
    except UserError as error:
        raise UserError(*(replace(each, key=key) for each in error.problems)) from error


def check_launcher(launcher: str) -> None:
    """Check that this process was started by the launcher that is named.

    Raises:
        UserError: If it was not; joining its peers would fail, or wait for ever.
    """
    variable = LAUNCHER_VARIABLES.get(launcher)
    if variable is not None and variable not in os.environ:
        expected = f'did not start this process ({variable} is not set)'
        raise UserError(problem('--launcher', launcher, expected))
