"""Resources: which processes and GPUs of this machine make labels, and who reads pictures."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from mmengine.dist import get_dist_info

from mmcompose.utils import UserError, fault, problem

_KEY = 'composition.devices'
_VISIBLE = 'CUDA_VISIBLE_DEVICES'
# More readers than this are seldom of use to one GPU, and each holds pictures.
_MOST_READERS = 16


@dataclass(frozen=True)
class Resources:
    """What of this machine takes part in labelling.

    Without a GPU, processes share the cores, and each reads its own pictures. On GPUs there is a
    process for each GPU, which holds all teachers, and readers beside it; where no teacher is
    asked, processes without a GPU take the cores that readers had.

    Args:
        workers: How many processes label; on GPUs how many readers each GPU has. None for one a
            core.
        devices: The GPUs, by number. None for the one of this process alone.
        is_alone: Whether no other process sees the label store. Defaults to False.
    """

    workers: int | None = None
    devices: Sequence[int] | None = None
    is_alone: bool = False

    def check(self) -> None:
        """Check that the GPUs are there.

        Raises:
            UserError: If not, or this process is on another.
        """
        if self.devices is None:
            return
        if not self.devices:
            expected = 'is empty; number GPUs, or leave it out for the one of this process'
            raise UserError(fault(_KEY, expected))
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if absent := [each for each in self.devices if not 0 <= each < count]:
            expected = f'are not all there: torch sees {count} GPUs, and no number {absent[0]}'
            raise UserError(problem(_KEY, list(self.devices), expected))
        if get_dist_info()[1] > 1:
            expected = 'is for one process; a launcher has started one for each GPU: leave it out'
            raise UserError(fault(_KEY, expected))
        if torch.cuda.current_device() not in self.devices:
            wished = ','.join(map(str, self.devices))
            expected = (
                f'do not hold number {torch.cuda.current_device()}, on which this process is; '
                f'start it with {_VISIBLE}={wished}, and number them from 0'
            )
            raise UserError(problem(_KEY, list(self.devices), expected))

    def others(self, asks_teachers: bool) -> int:
        """Return how many processes there are beside this one.

        Args:
            asks_teachers: Whether for work in which teachers predict: on GPUs where there are any.
        """
        if self.is_alone:
            return 0
        if not torch.cuda.is_available():
            return 0 if get_dist_info()[1] > 1 else (self.workers or num_cores()) - 1
        # Under a launcher each GPU has a process of the group.
        on_gpus = len(self._other_devices)
        return on_gpus if asks_teachers else max((on_gpus + 1) * self.readers - 1, on_gpus)

    @property
    def readers(self) -> int:
        """How many processes read pictures for each process that labels."""
        if not torch.cuda.is_available():
            return 0
        if self.workers is not None:
            return self.workers
        beside = int(os.environ.get('LOCAL_WORLD_SIZE', 0))
        if not beside and get_dist_info()[1] > 1:
            beside = int(os.environ.get('SLURM_NTASKS_PER_NODE', 0))
        beside = beside or self.others(asks_teachers=True) + 1
        # No core is left for this process: it waits for a GPU, or else readers wait for it.
        return min(max(num_cores() // beside, 1), _MOST_READERS)

    def environment(self, number: int) -> Mapping[str, str]:
        """Return what is set in the environment of a process beside this one, from 0.

        Those that have a GPU come first.
        """
        if not torch.cuda.is_available():
            return {}
        if number >= len(self._other_devices):
            return {_VISIBLE: ''}
        names = os.environ.get(_VISIBLE, '')
        device = self._other_devices[number]
        return {_VISIBLE: names.split(',')[device] if names else str(device)}

    @property
    def _other_devices(self) -> list[int]:
        if self.devices is None or not torch.cuda.is_available():
            return []
        return [each for each in self.devices if each != torch.cuda.current_device()]

    def of_other(self) -> Resources:
        """Return those of a process beside this one, which sees its own GPU alone."""
        return Resources(self.readers if torch.cuda.is_available() else self.workers)


def peak_memory() -> dict[str, int]:
    """Return the most bytes that this process has held: 'memory', and 'GPU memory' where used.

    Windows has no figure of the former.
    """
    peaks = {}
    if sys.platform != 'win32':
        import resource

        # In kilobytes, but for macOS.
        unit = 1 if sys.platform == 'darwin' else 1024
        peaks['memory'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    if torch.cuda.is_initialized():
        peaks['GPU memory'] = torch.cuda.max_memory_reserved()
    return peaks


def num_cores() -> int:
    """Return how many cores this process may use."""
    # macOS has no such call.
    affinity = getattr(os, 'sched_getaffinity', None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
