"""Work in processes of their own: processor time and memory are then those of the work alone."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mmcompose.utils import UserError, fault


@dataclass(frozen=True)
class Usage:
    """What a piece of work took; imports are left out of the seconds.

    Args:
        seconds: On the wall's clock.
        cpu_seconds: Of all threads, and of the processes that it started and waited for.
        peak_mib: The most memory that its process had at once, libraries included.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float

    @property
    def rounded(self) -> dict[str, float]:
        """The same as plain values."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def measured(work: Callable[..., Any], *arguments: Any) -> tuple[Any, Usage]:
    """Call a function in a new process, and return what it returns and what it took.

    Args:
        work: A function of a module's top level.
        *arguments: What can be sent to another process.

    Raises:
        UserError: If it raises something, with its traceback.
    """
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context('spawn')
    process = context.Process(target=_measure, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    try:
        failure, result, usage = ours.recv()
    except EOFError as error:
        process.join()
        raise UserError(fault('', f'{work.__name__} ended with {process.exitcode}')) from error
    process.join()
    if failure is not None:
        raise UserError(fault('', f'{work.__name__} failed:\n{failure}'))
    return result, usage


def _measure(connection: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    begin, cpu = time.perf_counter(), cpu_seconds()
    failure, result = None, None
    try:
        result = work(*arguments)
    except Exception:
        failure = traceback.format_exc()
    usage = Usage(time.perf_counter() - begin, cpu_seconds() - cpu, memory_mib()['VmHWM'])
    connection.send((failure, result, usage))


def cpu_seconds() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def memory_mib(process: int | None = None) -> dict[str, float]:
    """Return the memory of a process as Linux counts it: VmHWM is the peak.

    Args:
        process: Its number. Defaults to this one.
    """
    status = Path(f'/proc/{process or os.getpid()}/status').read_text(encoding='utf-8')
    lines = (line.split() for line in status.splitlines())
    return {line[0].rstrip(':'): int(line[1]) / 1024 for line in lines if line[-1] == 'kB'}


def own_mib(process: int | None = None) -> float:
    """Return the memory that a process has for itself, what it shares with others left out.

    Pages of mapped files are left out, too: they are the system's cache, which every process that
    reads the file shares, and which it drops where memory is short.
    """
    own: list[int] = []
    mapping: dict[str, int] = {}
    smaps = Path(f'/proc/{process or os.getpid()}/smaps').read_text(encoding='utf-8')
    for line in smaps.splitlines():
        name, value, *_ = line.split()
        if name in ('Private_Clean:', 'Private_Dirty:', 'Anonymous:'):
            mapping[name] = int(value)
        elif name == 'VmFlags:':
            private = mapping['Private_Clean:'] + mapping['Private_Dirty:']
            own.append(min(private, mapping['Anonymous:']))
    return sum(own) / 1024
