"""RayWorkers: processes of a Ray cluster, which make the parts of a job as any others do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from types import TracebackType
from typing import Any

from mmcompose.composition.jobs import Job, Work, images_of, take_parts
from mmcompose.composition.process_state import on_one_thread
from mmcompose.composition.workers import portable
from mmcompose.known_warnings import mute_known_warnings
from mmcompose.registry import plugin_modules
from mmcompose.utils import UserError, counted, fault, first_line, problem

_POLL_SECONDS = 1.0
_KEY = '--launcher'


class RayWorkers:
    """An actor for each GPU of a cluster, or for each core where it has none.

    What an actor works on is claimed in the store, so that the parts are those of one process,
    byte for byte. One that dies is started anew by Ray, and what it had begun is taken over.

    Args:
        address: Of the cluster's head, as ``ray.init`` takes it. None for the cluster that this
            machine belongs to, or else for a local one.
        check: Called while there is work; may raise what ends it. Defaults to nothing.

    Raises:
        UserError: If Ray is not installed, or there is no cluster at the address.
    """

    are_here = False

    def __init__(
        self, address: str | None = None, check: Callable[[], None] = lambda: None
    ) -> None:
        self.check_others = check
        try:
            self._ray = import_module('ray')
        except ImportError as error:
            expected = "needs an optional package: pip install 'mmcompose[ray]'"
            raise UserError(problem(_KEY, 'ray', expected)) from error
        if not self._ray.is_initialized():
            try:
                self._ray.init(address, log_to_driver=False, include_dashboard=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                expected = f'is no cluster: {first_line(error)}'
                raise UserError(problem('--address', address, expected)) from error
        self._actors: list[Any] = []

    def __enter__(self) -> RayWorkers:
        total, nodes = self._ray.cluster_resources(), self._ray.nodes()
        kind = 'GPU' if total.get('GPU') else 'CPU'
        count = max(int(total.get(kind, 0)), 1)
        of_node = max(int(node['Resources'].get(kind, 0)) for node in nodes)
        options = {'num_gpus' if kind == 'GPU' else 'num_cpus': 1}
        # Any number of times: a machine that is taken away comes back, or another does.
        actor = self._ray.remote(max_restarts=-1, max_task_retries=-1, **options)(_Actor)
        begin = (os.getcwd(), plugin_modules(), of_node)
        self._actors = [actor.remote(*begin) for _ in range(count)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []

    def run(self, own: Job, job: Job, description: str) -> None:
        """Make a job's parts; when this returns all are there.

        Args:
            own: The work, by which this process sees how far it has come; it takes no part.
            job: The same, for the actors.
            description: Of the progress bar.

        Raises:
            UserError: If one of the processes raises it.
        """
        work = own()
        left = set(work.unfinished())
        if not left:
            return
        sent = self._ray.put(job)
        busy = [actor.take_part.remote(sent) for actor in self._actors]
        done = 0
        with counted(description, images_of(work, left), work.detail) as show:
            for parts in self._parts_done(work, busy, left):
                done += images_of(work, parts)
                show(done)

    def _parts_done(self, work: Work, busy: list[Any], left: set[int]) -> Iterator[set[int]]:
        while left:
            self.check_others()
            finished, busy = self._ray.wait(busy, num_returns=len(busy), timeout=_POLL_SECONDS)
            for answer in self._ray.get(finished):
                if answer is not None:
                    raise answer
            now = set(work.unfinished())
            yield left - now
            left = now
            if left and not busy:
                missing = f'{len(left)} parts are missing, and no process is left'
                raise UserError(fault(_KEY, missing))


class _Actor:
    """A process of the cluster.

    Args:
        folder: The working directory of the process that started it; taken where there is one.
        plugins: Modules that register what a config names.
        beside: How many such processes there are on a machine.
    """

    def __init__(self, folder: str, plugins: Sequence[str], beside: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.chdir(folder)
        mute_known_warnings()
        # By which readers share the cores.
        os.environ['LOCAL_WORLD_SIZE'] = str(beside)
        for module in plugins:
            import_module(module)

    def take_part(self, job: Job) -> Exception | None:
        """Make parts until all are there, and return what was raised."""
        try:
            with on_one_thread():
                for _ in take_parts(job(), lambda images: None, wait=True):
                    pass
        except Exception as error:
            return portable(error)
        return None
