"""Look at whether learning-rate schedules end when training does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mmcompose.checks.check_training import schedulers
from mmcompose.registry import type_name

# Where the last change comes before this part of the training, the rest is likely not meant.
_EARLY = 0.55


def schedule_warnings(config: Config) -> list[str]:
    """Return a line where the learning rate stays at its lowest for about half of the training.

    Such is a ``max_epochs`` that a config raises while its base counted the schedule by the old
    one.

    Args:
        config: In which loop and schedules can be built.
    """
    loop = config.get('train_cfg') or {}
    unit = 'epochs' if loop.get('max_epochs') else 'iterations'
    total = loop.get('max_epochs') or loop.get('max_iters')
    ends = [(key, _last_change(each, unit)) for key, each in schedulers(config) if _decays(each)]
    last = max((end for _, end in ends if end is not None), default=None)
    if not total or last is None or any(end is None for _, end in ends) or last > _EARLY * total:
        return []
    return [
        f'{ends[-1][0]}: the learning rate changes last at {last} of {total} {unit}, and stays at '
        f'its lowest for the rest; was it counted for another train_cfg?'
    ]


def _decays(scheduler: Mapping[str, Any]) -> bool:
    """Return whether a schedule ends at a lower rate than it begins with, as no warm-up does."""
    name = type_name(scheduler)
    if name.startswith('Linear'):
        return float(scheduler.get('end_factor', 1.0)) < float(scheduler.get('start_factor', 1 / 3))
    return not name.startswith('Constant')


def _last_change(scheduler: Mapping[str, Any], unit: str) -> int | None:
    """Return when a schedule changes the rate for the last time; None where it never ceases."""
    if scheduler.get('by_epoch', True) != (unit == 'epochs'):
        return None
    if scheduler.get('milestones'):
        return int(max(scheduler['milestones']))
    begin = scheduler.get('begin', 0)
    end = scheduler.get('end')
    if end is None and scheduler.get('T_max'):
        end = begin + scheduler['T_max']
    return None if end is None else int(end)
