"""The checkpoint that a run resumes from: the last that can be read."""

from __future__ import annotations

from pathlib import Path

from mmengine.runner import find_latest_checkpoint

from mmcompose.teachers import read_checkpoint
from mmcompose.utils import UserError, problem, warn


def last_checkpoint(work_dir: str | Path) -> str | None:
    """Return a work directory's last checkpoint, or the one before where that was cut short.

    A run that is killed while it writes one leaves a part of it. What ``save_best`` wrote is not
    the one before: it holds no optimizer and no schedule, which would begin anew.

    Args:
        work_dir: Of a run that MMEngine saved checkpoints of.

    Returns:
        The path, or None where there is none to resume from.

    Raises:
        UserError: If there are some, and none can be resumed from.
    """
    latest = find_latest_checkpoint(str(work_dir))
    if latest is None:
        return None
    earlier = (path for path in Path(work_dir).glob('*.pth') if path != Path(latest))
    by_age = sorted(earlier, key=lambda path: path.stat().st_mtime, reverse=True)
    for path in (Path(latest), *by_age):
        try:
            read = read_checkpoint(path, trust=None)
            # The last one may have been saved so, as the config tells.
            if path != Path(latest) and not {'optimizer', 'param_schedulers'} & read.keys():
                raise UserError(problem('checkpoint', str(path), 'holds no optimizer, no schedule'))
        except UserError as error:
            warn(f'not resumed from: {error}')
        else:
            if path != Path(latest):
                warn(f'resumed from the one before: {path}')
            return str(path)
    expected = (
        'cannot be resumed from, and no earlier checkpoint can: each is damaged or holds '
        'neither optimizer nor schedule; start from one by load_from'
    )
    raise UserError(problem('resume', latest, expected))
