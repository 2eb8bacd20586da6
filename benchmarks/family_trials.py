"""One variant of each of MMDetection's families, tried in a process of its own within limits."""

from __future__ import annotations

import logging
import multiprocessing
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mmcompose.prerequisites import package_folder
from mmcompose.utils import UserError

# Gets a temporary folder, and yields what it finds, step by step.
Work = Callable[[Path], Iterable[tuple[str, Any]]]


def tried(work: Work, seconds: int, gigabytes: float | None = None) -> dict[str, Any]:
    """Return what a variant comes to, and under ``'why'`` what went wrong.

    Args:
        work: Tries it.
        seconds: Of computing that it may take.
        gigabytes: Of memory that it may use. Defaults to no limit.
    """
    # Forked: each of a hundred families would spend ten seconds on imports.
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, work, seconds, gigabytes))
    process.start()
    sender.close()
    found: dict[str, Any] = {}
    try:
        while True:
            step, value = receiver.recv()
            found[step] = value
    except EOFError:
        # It still has its files to remove.
        process.join(timeout=60)
    finally:
        process.kill()
        process.join()
    if process.exitcode == -signal.SIGXCPU:
        found['why'] = f'took longer than {seconds} s'
    elif process.exitcode:
        found['why'] = f'its process died ({process.exitcode})'
    return found


def _answer(sender: Any, work: Work, seconds: int, gigabytes: float | None) -> None:
    if gigabytes is not None:
        most = int(gigabytes * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    # Of its own time: what else runs here must not change the table. At the upper limit it would
    # be killed as if memory had run out.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    # Every weight's initialisation is a message.
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        try:
            for step in work(Path(folder)):
                sender.send(step)
        # Whatever goes wrong is what the table shows.
        except (Exception, SystemExit) as error:
            sender.send(('why', _reason(error, folder)))
            traceback.print_exc(file=sys.stderr)


def _reason(error: BaseException, folder: str) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    lines = str(error).strip().splitlines() or [f'{Path(frame.filename).name}: {frame.line}']
    kind = '' if isinstance(error, UserError) else f'{type(error).__name__}: '
    why = f'{kind}{lines[0]}'
    for known, name in ((package_folder('mmdet'), 'mmdet'), (folder, '…')):
        why = why.replace(str(known), name)
    return why
