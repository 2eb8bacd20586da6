"""RayWorkers: processes of a Ray cluster, which make the parts of a job as any others do."""

from __future__ import annotations

import contextlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any

from mmcompose.composition.jobs import Job, Work, images_of, makers_of, take_parts
from mmcompose.composition.process_state import on_one_thread
from mmcompose.composition.workers import portable
from mmcompose.known_warnings import mute_known_warnings
from mmcompose.registry import plugin_modules
from mmcompose.store import this_process
from mmcompose.utils import UserError, counted, fault, first_line, problem

_POLL_SECONDS = 1.0
_KEY = '--launcher'
# So many may die at the same before a run ends.
_MOST_DEATHS = 3


class RayWorkers:
    """An actor for each GPU of a cluster, or for each core where it has none.

    What an actor works on is claimed in the store, so that the parts are those of one process,
    byte for byte. One that dies is replaced, and what it had begun is taken over; a run ends where
    several die one after another that began the same part.

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
        self._start: Callable[[], Any]
        # Each with the name of its process, to come.
        self._actors: list[tuple[Any, Any]] = []

    def __enter__(self) -> RayWorkers:
        total, nodes = self._ray.cluster_resources(), self._ray.nodes()
        kind = 'GPU' if total.get('GPU') else 'CPU'
        count = max(int(total.get(kind, 0)), 1)
        of_node = max(int(node['Resources'].get(kind, 0)) for node in nodes)
        options = {'num_gpus' if kind == 'GPU' else 'num_cpus': 1}
        actor = self._ray.remote(**options)(_Actor)
        self._start = partial(actor.remote, os.getcwd(), plugin_modules(), of_node)
        for _ in range(count):
            self._add()
        return self

    def _add(self, place: int | None = None) -> None:
        """Start an actor, at the end or in another's place."""
        actor = self._start()
        # Asked at once: one that died answers no more.
        started = actor, actor.process.remote()
        if place is None:
            self._actors.append(started)
        else:
            self._actors[place] = started

    def _process_at(self, place: int) -> str | None:
        """Return what leases of an actor begin with, None where it died before it was known."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            name: str = self._ray.get(self._actors[place][1], timeout=0)
            return name
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for actor, _ in self._actors:
            self._ray.kill(actor)
        self._actors = []

    def run(self, own: Job, job: Job, description: str) -> None:
        """Make a job's parts; when this returns all are there.

        Args:
            own: The work, by which this process sees how far it has come; it takes no part.
            job: The same, for the actors.
            description: Of the progress bar.

        Raises:
            UserError: If one of the processes raises it, or they die one after another.
        """
        work = own()
        left = set(work.unfinished())
        if not left:
            return
        done = 0
        with counted(description, images_of(work, left), work.detail) as show:
            for parts in self._parts_done(work, self._ray.put(job), left):
                done += images_of(work, parts)
                show(done)

    def _parts_done(self, work: Work, job: Any, left: set[int]) -> Iterator[set[int]]:
        busy = {each.take_part.remote(job): n for n, (each, _) in enumerate(self._actors)}
        deaths, errors = _Deaths(work), self._ray.exceptions
        # The latter two are no kinds of the first.
        died = (errors.RayActorError, errors.NodeDiedError, errors.OutOfMemoryError)
        while left:
            self.check_others()
            finished, _ = self._ray.wait([*busy], num_returns=len(busy), timeout=_POLL_SECONDS)
            for answer in finished:
                place = busy.pop(answer)
                try:
                    raised = self._ray.get(answer)
                except died as error:
                    deaths.count(place, self._process_at(place), error)
                    # A machine that is taken away comes back, or another does.
                    self._add(place)
                    busy[self._actors[place][0].take_part.remote(job)] = place
                    continue
                if raised is not None:
                    raise raised
            now = set(work.unfinished())
            if left - now:
                deaths.forget(left - now)
            yield left - now
            left = now
            if left and not busy:
                missing = f'{len(left)} parts are missing, and no process is left'
                raise UserError(fault(_KEY, missing))


class _Deaths:
    """Deaths of actors, which end a run that gets nowhere by them.

    A cluster may lose many at once, to begin anew elsewhere; but where as many died that began one
    part, or in one place before any part was done, the next one would, too.

    Args:
        work: What they take part in.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        # Who died at work on a part.
        self._makers: defaultdict[int, set[str]] = defaultdict(set)
        self._in_place: Counter[int] = Counter()

    def count(self, place: int, process: str | None, reason: Exception) -> None:
        """Count one.

        Args:
            place: Of which actor.
            process: What its leases begin with, None where that is not known.
            reason: What Ray raised.

        Raises:
            UserError: If it is one too many.
        """
        self._in_place[place] += 1
        for part, maker in makers_of(self._work).items():
            if process is not None and maker.startswith(f'{process}:'):
                self._makers[part].add(maker)
        worst = max(self._makers, key=lambda part: len(self._makers[part]), default=None)
        if worst is not None and len(self._makers[worst]) >= _MOST_DEATHS:
            count = -(-self._work.num_images // self._work.part_size)
            expected = (
                f'{_MOST_DEATHS} processes died making part {worst} (of parts 0 to {count - 1}): '
                'one of its pictures, or want of memory, kills them'
            )
        elif self._in_place[place] >= _MOST_DEATHS:
            expected = f'{_MOST_DEATHS} processes died before a part was done'
        else:
            return
        raise UserError(fault(_KEY, f'{expected}; {first_line(reason)}')) from reason

    def forget(self, parts: set[int]) -> None:
        """Forget those before parts that are done."""
        self._in_place.clear()
        for part in parts:
            self._makers.pop(part, None)


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
        self._plugins = plugins

    def process(self) -> str:
        """Return what leases of this process begin with."""
        return this_process()

    def take_part(self, job: Job) -> Exception | None:
        """Make parts until all are there, and return what was raised."""
        try:
            for module in self._plugins:
                import_module(module)
            with on_one_thread():
                for _ in take_parts(job(), lambda images: None, wait=True):
                    pass
        except Exception as error:
            return portable(error)
        return None
