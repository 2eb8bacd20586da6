"""Workers: this process and further ones on this machine, which make the parts of a job."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import current_process
from multiprocessing.spawn import get_preparation_data
from types import TracebackType
from typing import NamedTuple, Protocol

from mmcompose.composition.jobs import Job, Work, images_of, take_parts
from mmcompose.composition.process_state import on_one_thread, preserve_process_state
from mmcompose.composition.resources import Resources
from mmcompose.known_warnings import mute_known_warnings
from mmcompose.registry import plugin_modules
from mmcompose.utils import UserError, counted, fault, follow_parent, logging_from

# Further processes take about 8 seconds to import what they need: less work is done sooner alone.
PAYS_SECONDS = 30.0
_ANSWER_SECONDS = 2.0


class Worker(NamedTuple):
    """A further process."""

    process: subprocess.Popen[bytes]
    connection: Connection
    # By which it has a GPU, or none; see Resources.environment.
    number: int


class AnyWorkers(Protocol):
    """The processes that take part in one job after another, wherever they are.

    Attributes:
        are_here: Whether they all see the files of this machine.
        check_others: Called while there is work; may raise what ends it.
    """

    are_here: bool
    check_others: Callable[[], None]

    def __enter__(self) -> AnyWorkers: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def run(self, own: Job, job: Job, description: str) -> None:
        """Make a job's parts; when this returns all are there, whoever made them."""


class Workers:
    """The processes that take part in one job after another.

    Under torchrun or slurm those are the ranks, each of which runs every job; else this process
    and, once the work that is left is seen to pay for their start, others on this machine, which
    stay for the next job. Beside GPUs there are more for jobs that ask no teacher.

    Args:
        resources: How many processes there may be on this machine, and on which GPUs.
        check: Called while there is work; may raise what ends it. Defaults to nothing.

    Raises:
        UserError: If a GPU is not there.
    """

    are_here = True

    def __init__(self, resources: Resources, check: Callable[[], None] = lambda: None) -> None:
        resources.check()
        self._resources = resources
        self.check_others = check
        self._processes: list[Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What they write is whole or absent, so that they can be ended wherever they are.
        for worker in self._processes:
            worker.process.kill()
        for worker in self._processes:
            worker.process.wait()
            worker.connection.close()
        self._processes = []

    def run(self, own: Job, job: Job, description: str) -> None:
        """Make a job's parts; when this returns all are there, whoever made them.

        Args:
            own: The work, for this process.
            job: The same, for others.
            description: Of the progress bar.

        Raises:
            UserError: If one of the processes raises it, or is killed.
        """
        with preserve_process_state(), on_one_thread():
            work = own()
            wanted = range(self._resources.others(work.asks_teachers))
            busy = [each for each in self._processes if each.number in wanted]
            for worker in busy:
                self._send(worker, job)
            absent = sorted(set(wanted) - {each.number for each in busy})
            self._take_part(work, job, busy, absent, description)
        self._dismiss(busy)

    def _take_part(
        self, work: Work, job: Job, busy: list[Worker], absent: list[int], description: str
    ) -> None:
        forecast = _Forecast()
        left = work.unfinished()
        of_parts = in_part = 0

        def tick(images: int) -> None:
            nonlocal in_part
            in_part += images
            # Of parts that others make it is seen only when they are there.
            show(of_parts + in_part)
            self.check_others()
            self._check(busy)
            if not absent or not forecast.is_due(images):
                return
            unmade = len(work.unfinished()) - len(busy)
            if unmade > 1 and forecast.pays(unmade * work.part_size):
                busy.extend(self._start(absent[: unmade - 1], job))
                absent.clear()

        with counted(description, images_of(work, left), work.detail) as show:
            for part in take_parts(work, tick, wait=True):
                of_parts, in_part = of_parts + images_of(work, [part]), 0
                show(of_parts)
            # Others may have made some between the two looks at what is left.
            show(images_of(work, left))

    def _dismiss(self, busy: list[Worker]) -> None:
        """End those that do not answer soon: there is nothing left to do."""
        until = time.monotonic() + _ANSWER_SECONDS
        while busy and time.monotonic() < until:
            self._check(busy)
            time.sleep(0.01)
        for worker in busy:
            worker.process.kill()
            worker.process.wait()
            worker.connection.close()
            self._processes.remove(worker)

    def _start(self, numbers: Sequence[int], job: Job) -> list[Worker]:
        started = []
        for number in numbers:
            ours, theirs = Pipe()
            # -P: its folder holds modules named like those of the standard library.
            command = [sys.executable, '-P', follow_parent.__file__, str(os.getpid())]
            process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **self._resources.environment(number)},
                # A terminal's Ctrl-C reaches this process alone, which ends the others.
                process_group=0,
            )
            theirs.close()
            started.append(Worker(process, ours, number))
            self._processes.append(started[-1])
            preparation = get_preparation_data('mmcompose')
            key = {'authkey': bytes(current_process().authkey)}
            self._send(started[-1], {**preparation, **key}, _serve, plugin_modules(), job)
        return started

    def _send(self, worker: Worker, *messages: object) -> None:
        try:
            for message in messages:
                worker.connection.send(message)
        except OSError as gone:
            raise self._killed(worker) from gone

    def _check(self, busy: list[Worker]) -> None:
        """Take those off that are done with the job; raise what one of them raised."""
        for worker in list(busy):
            try:
                if not worker.connection.poll():
                    continue
                error = worker.connection.recv()
            except (EOFError, OSError) as gone:
                raise self._killed(worker) from gone
            if error is not None:
                raise error
            busy.remove(worker)

    def _killed(self, worker: Worker) -> UserError:
        return UserError(
            fault(
                'composition.workers',
                f'one of {len(self._processes) + 1} processes was killed '
                f'(exit status {worker.process.wait()}), perhaps for want of memory; try fewer',
            )
        )


class _Forecast:
    """How long the rest of the work would take this process alone."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._images = 0

    def is_due(self, images: int) -> bool:
        """Count images that were made, and return whether there is a pace to go by."""
        if self._started is None:
            # The first ones load the teachers' weights, too.
            self._started = time.monotonic()
            return False
        self._images += images
        return self._images > 0

    def pays(self, images_left: int) -> bool:
        """Return whether so many more would take long enough for further processes."""
        assert self._started is not None
        seconds = (time.monotonic() - self._started) / self._images * images_left
        return seconds > PAYS_SECONDS


def _serve(connection: Connection) -> None:
    """Take part in one job after another, and answer each with what was raised, or None."""
    mute_known_warnings()
    plugins: Sequence[str] = connection.recv()
    for module in plugins:
        import_module(module)
    with on_one_thread():
        while True:
            job: Job = connection.recv()
            try:
                # What there is to tell of the pool the process that started this one has told.
                with logging_from(logging.ERROR):
                    work = job()
                for _ in take_parts(work, lambda images: None, wait=False):
                    pass
            except Exception as error:
                connection.send(portable(error))
            else:
                connection.send(None)


def portable(error: Exception) -> Exception:
    """Return an error that can be sent; a programmer's mistake brings its traceback along."""
    if isinstance(error, UserError):
        return error
    portable_error = RuntimeError(''.join(traceback.format_exception(error)))
    return portable_error if pickle.dumps(portable_error) else error
