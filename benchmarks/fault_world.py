"""A folder of a user's in which `mmcompose label` runs: pictures, slow teachers and a config."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path

import mmcompose.commands.label  # noqa: F401  (so that what is forked need not)
from benchmarks.common import ROOT
from mmcompose.cli import main
from tests import toys
from tests.processes import CONTEXT
from tests.tools.running import become_command, write_config

PICTURES = 96
STEPS = [
    {'type': 'mmcompose.ScoreFilter', 'min_score': 0.05},
    {'type': 'mmcompose.AdaptiveScoreFilter', 'method': 'mixture'},
    {'type': 'mmcompose.WeightedBoxesFusion', 'iou_thr': 0.55},
    {'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'ignore': 0.3},
]
# Small parts, and workers at once: so short a run has none else.
_PLUGIN = """
import os
import time

from mmcompose.composition import workers
from mmcompose.registry import TEACHERS
from mmcompose.store import LabelStore
from mmcompose.structures import Detections
from mmcompose.teachers import Teacher
from tests.toys import see

LabelStore.part_size = 4
workers.PAYS_SECONDS = -1.0


@TEACHERS.register_module()
class PausingTeacher(Teacher):
    def __init__(self, classes):
        self.classes = tuple(classes)

    def predict(self, images):
        found = []
        for image in images:
            time.sleep(float(os.environ['FAULT_SECONDS']))
            found.append(Detections.from_arrays(*see(image.pixels, self.classes)))
        return found
"""


class World:
    """A folder with a config, of which any number of stores is made.

    Args:
        folder: Where to.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        drawn = toys.draw(folder / 'pool', PICTURES)
        truth = toys.write_coco(folder / 'truth.json', drawn, {1: 'red'})
        (folder / 'slow_teacher.py').write_text(_PLUGIN)
        teachers = {
            name: {'type': 'PausingTeacher', 'classes': list(classes)}
            for name, classes in (('first', toys.FIRST), ('second', toys.SECOND))
        }
        self.folder = folder
        self.config = write_config(
            folder,
            folder / 'pool',
            truth,
            composition={'teachers': {'_delete_': True, **teachers}, 'label_pipeline': STEPS},
            custom_imports={'imports': ['mmcompose.engine', 'slow_teacher']},
        )

    def start(
        self,
        store: Path,
        workers: int,
        seconds: float,
        *more: str,
        forked: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Start to label.

        Args:
            store: The label store.
            workers: How many processes.
            seconds: What a teacher takes for a picture.
            *more: Arguments of ``mmcompose label``.
            forked: Whether it is forked off this process, which has imported what it imports.
                Defaults to True; else it starts from nothing.
            environment: More variables. Defaults to none.
        """
        options = ['--cfg-options', f'composition.store={store}']
        arguments = ['label', str(self.config), '--workers', str(workers), *more, *options]
        variables = {'FAULT_SECONDS': str(seconds), **(environment or {})}
        return Run(arguments, self.folder, variables, forked)


class Run:
    """The command ``mmcompose``, with all processes that come of it: a session of their own.

    Args:
        arguments: Its arguments.
        folder: Where it runs.
        variables: Of its environment.
        forked: Whether it is forked off this process.
    """

    def __init__(
        self, arguments: list[str], folder: Path, variables: Mapping[str, str], forked: bool
    ) -> None:
        self._log = folder / f'{uuid.uuid4().hex}.err'
        environment = {
            'PYTHONPATH': f'{folder}:{ROOT}',
            'PYTHONWARNINGS': 'ignore',
            'OMP_NUM_THREADS': '1',
            **variables,
        }
        self.started = time.monotonic()
        self._process: BaseProcess | subprocess.Popen[bytes]
        if forked:
            target, given = _as_command, (arguments, folder, environment, self._log)
            self._process = CONTEXT.Process(target=target, args=given)
            self._process.start()
        else:
            with open(self._log, 'w') as log:
                self._process = subprocess.Popen(
                    [sys.executable, '-m', 'mmcompose', *arguments],
                    cwd=folder,
                    env={**os.environ, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        if isinstance(self._process, subprocess.Popen):
            return self._process.poll()
        return self._process.exitcode

    def processes(self) -> list[int]:
        """Return every process that is left of it."""
        # Asked for first, so that it is reaped: it would stay as a zombie.
        gone = [self.pid] if self.code is not None else []
        return [each for each in _session(self.pid) if each not in gone]

    def workers(self) -> list[int]:
        """Return the processes that it started."""
        return [each for each in self.processes() if each != self.pid]

    def seconds_until_gone(self, limit: float) -> float:
        """Return how long it takes until no process is left, at most ``limit``; then end them."""
        started = time.monotonic()
        while left := self.processes():
            if time.monotonic() - started > limit:
                for process in left:
                    os.kill(process, signal.SIGKILL)
                return limit
            time.sleep(0.02)
        seconds = time.monotonic() - started
        # Its first thread may be gone before the others are.
        self.wait(limit)
        return seconds

    def wait(self, limit: float = 600) -> int | None:
        """Return its exit code, None where it does not end."""
        end = time.monotonic() + limit
        while self.code is None and time.monotonic() < end:
            time.sleep(0.05)
        return self.code

    @property
    def told(self) -> list[str]:
        """The lines that it wrote to stderr."""
        return self._log.read_text().splitlines()


def _as_command(arguments: list[str], folder: Path, environment: dict[str, str], log: Path) -> None:
    """Become what ``python -m mmcompose`` is."""
    become_command(folder, environment, os.devnull, log)
    sys.modules['__main__'] = import_module('mmcompose.__main__')
    main(arguments)


def _session(leader: int) -> list[int]:
    """Return the processes of a session, but for those that are dead and not yet reaped."""
    found = []
    for process in map(int, filter(str.isdigit, os.listdir('/proc'))):
        with suppress(OSError):
            state = Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()
            if int(state[3]) == leader and state[0] != 'Z':
                found.append(process)
    return found


def content(store: Path) -> dict[str, bytes]:
    """Return a store's files, but for what a killed process was about to write.

    Nor is the list of the pool's files looked at, which is kept only where these are old enough.
    """
    files = toys.files_below(store).items()
    return {n: each for n, each in files if '.tmp' not in n and not n.startswith('pools/')}
