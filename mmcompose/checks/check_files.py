"""Look at a run's other files: checkpoints, and what started its processes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from mmengine.dist import is_distributed

from mmcompose.teachers import read_checkpoint
from mmcompose.utils import UserError, no_file, problem

# What is set for each process that a launcher starts, of which its group is made.
LAUNCHER_VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
    # Open MPI itself does not set the last.
    'mpi': (
        'OMPI_COMM_WORLD_RANK',
        'OMPI_COMM_WORLD_SIZE',
        'OMPI_COMM_WORLD_LOCAL_RANK',
        'MASTER_ADDR',
    ),
}


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
        UserError: If it was not, or what its peers are found by is not set.
    """
    variables = LAUNCHER_VARIABLES.get(launcher, ())
    missing = [name for name in variables if name not in os.environ]
    # Who has joined the group already found its peers by other means.
    if not missing or is_distributed():
        return
    if missing[0] == variables[0]:
        expected = f'did not start this process ({missing[0]} is not set)'
    else:
        expected = f'needs variables of the environment that are not set: {", ".join(missing)}'
    raise UserError(problem('--launcher', launcher, expected))
