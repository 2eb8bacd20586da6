"""Kill one process of a launcher's group: the others end, and running again goes on."""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fault_world import Run, World, content

SECONDS = 0.3
LIMIT = 60.0
# Who is killed, and in seconds after the first part is there.
LOST = ((0, 1.0), (1, 0.0), (1, 4.0))


@dataclass
class Loss:
    """A process of a group that was killed.

    Args:
        rank: Its place in the group.
        moment: When, in seconds after the first part was there.
        gone: Seconds until the other one had ended.
        told: lines of stderr that tell why; torch has more.
        is_same: Whether the run after it made the bytes of one that nobody killed.
    """

    rank: int
    moment: float
    gone: float
    told: list[str]
    is_same: bool

    @property
    def is_right(self) -> bool:
        """Whether the other one ended in time, in one line, and nothing was lost."""
        return self.gone < LIMIT and len(self.told) == 1 and self.is_same


def lose_peers(folder: Path) -> list[Loss]:
    """Kill a process of groups of two, as srun and mpirun start them: nobody looks after them."""
    world = World(folder / 'world')
    reference = folder / 'reference'
    assert world.start(reference, 1, 0.0).wait() == 0
    losses = []
    for number, (rank, moment) in enumerate(LOST):
        store = folder / f'{number}'
        runs = _group(world, store)
        while not list(store.glob('predictions/*/*.parquet')):
            assert all(run.code is None for run in runs), [run.told for run in runs]
            time.sleep(0.1)
        time.sleep(moment)
        os.kill(runs[rank].pid, signal.SIGKILL)
        other = runs[1 - rank]
        gone = other.seconds_until_gone(LIMIT)
        told = [line for line in other.told if line.startswith(('error', 'Traceback'))]
        again = _group(world, store, 0.0)
        is_same = [run.wait() for run in again] == [0, 0] and content(store) == content(reference)
        losses.append(Loss(rank, moment, gone, told, is_same))
    return losses


def _group(world: World, store: Path, seconds: float = SECONDS) -> list[Run]:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    return [
        world.start(
            store,
            1,
            seconds,
            '--launcher',
            'pytorch',
            environment={
                'RANK': str(rank),
                'LOCAL_RANK': str(rank),
                'WORLD_SIZE': '2',
                'MASTER_ADDR': '127.0.0.1',
                'MASTER_PORT': str(port),
            },
        )
        for rank in range(2)
    ]
