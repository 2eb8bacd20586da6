"""Who makes the shards: this process, the ranks of a distributed run, or local workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for
from threading import Thread
from typing import Protocol

import torch
from mmengine.dist import get_dist_info

from mmcompose.composition.process_state import preserve_process_state
from mmcompose.registry import plugin_modules
from mmcompose.store import ShardedResult
from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError, fault, progress

# How many decoded pictures stand in memory at once.
CHUNK_SIZE = 32

Produce = Callable[[Sequence[Image]], Sequence[Detections]]


class ShardJob(Protocol):
    """One process's part of the work; must travel to another process."""

    def __call__(self, rank: int, world_size: int) -> None: ...


def run_shares(share: ShardJob, workers: int | None, num_shards: int) -> None:
    """Run one share in each process that takes part.

    Under torchrun or slurm those are the ranks, of which each calls this and does its own; who
    reads the result must wait for the others'. Else they are processes of this machine, and all
    are done when this returns.

    Args:
        share: The work.
        workers: How many local processes; None for one a core, or only this one where a GPU
            does the work.
        num_shards: How many shards there are to make: more processes than that are no use.
    """
    rank, world_size = get_dist_info()
    if workers is None:
        workers = 1 if torch.cuda.is_available() else _num_cores()
    workers = min(workers, num_shards)
    if world_size > 1 or workers <= 1:
        with preserve_process_state():
            _single_threaded(share, rank, world_size)
        return
    plugins = plugin_modules()
    with ProcessPoolExecutor(workers, mp_context=get_context('spawn')) as pool:
        futures = [
            pool.submit(_in_new_process, plugins, share, rank, workers) for rank in range(workers)
        ]
        done, running = wait(futures, return_when=FIRST_EXCEPTION)
        if running:
            # One failed. Shards are whole or absent, so the others can be stopped where they are.
            for process in list(pool._processes.values()):
                process.terminate()
        try:
            for future in done:
                future.result()
        except BrokenProcessPool as error:
            raise UserError(
                fault(
                    'composition.workers',
                    f'one of {workers} processes was killed, perhaps for want of memory; try fewer',
                )
            ) from error


def _num_cores() -> int:
    # macOS does not say which cores this process may use.
    affinity = getattr(os, 'sched_getaffinity', None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _in_new_process(plugins: Sequence[str], share: ShardJob, rank: int, world_size: int) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    for module in plugins:
        import_module(module)
    _single_threaded(share, rank, world_size)


def _end_with_parent() -> None:
    """Do not work on for hours when the run that asked for it was killed."""
    parent = parent_process()
    assert parent is not None
    wait_for([parent.sentinel])
    # Shards are whole or absent.
    os._exit(1)


def _single_threaded(share: ShardJob, rank: int, world_size: int) -> None:
    # The number of threads changes the last bits of a convolution, and so the stored bytes.
    torch.set_num_threads(1)
    share(rank, world_size)


def make_shards(
    results: Mapping[str, ShardedResult],
    produce: Mapping[str, Produce],
    rank: int,
    world_size: int,
    description: str,
) -> None:
    """Make a process's share of what is missing of several results over one image list.

    Each picture is decoded once, however many results look at it.

    Args:
        results: By name.
        produce: By the same name, what gives the detections of a few images.
        rank: Of this process among those that take part.
        world_size: How many those are.
        description: What the progress bar says.
    """
    missing = {shard for result in results.values() for shard in result.missing()}
    # By shard number, not by place among the missing: others are at work meanwhile.
    mine = sorted(shard for shard in missing if shard % world_size == rank)
    for shard in progress(mine, description, len(mine)):
        todo = [name for name, result in results.items() if not result.has(shard)]
        made: dict[str, list[Detections]] = {name: [] for name in todo}
        images = next(iter(results.values())).images_of(shard)
        for start in range(0, len(images), CHUNK_SIZE):
            chunk = images[start : start + CHUNK_SIZE]
            for name in todo:
                made[name] += produce[name](chunk)
            for image in chunk:
                image.forget_pixels()
        for name in todo:
            results[name].write(shard, made[name])
