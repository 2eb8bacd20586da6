"""Single processes that label one pool: how well they share it out.

Run by itself it is one of them.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import ROOT, environment
from benchmarks.store_scale import PLAIN
from mmcompose.composition import Composition
from mmcompose.store import ImageTable
from mmcompose.structures import Image
from tests import toys

# A teacher's time of a picture, and how many times slower one worker's is.
SECONDS, SLOWER = 0.001, 4
# Pictures of another store, by which weights are loaded.
FIRST = 16


def slow(pixels: NDArray[np.uint8], seconds: float = SECONDS) -> Any:
    """Find nothing, in a while that the environment may lengthen."""
    time.sleep(seconds * float(os.environ.get('MMCOMPOSE_SLOWER', 1)))
    return np.zeros((0, 4)), [], []


class SharedOut:
    """Labels one pool in single processes that share it out.

    Args:
        folder: Where processes meet.
        images: The pool.
        config: Of the teacher.
    """

    def __init__(self, folder: Path, images: Sequence[Image], config: dict[str, Any]) -> None:
        folder.mkdir()
        self._folder = folder
        self._work = {'images': ImageTable.of(images), 'config': config}

    def seconds(self, *slower: int) -> float:
        """Label the pool; return how long that takes once all processes have loaded the teacher.

        Args:
            slower: Of each process, how many times slower a teacher is that sleeps.
        """
        # Each time another one, and so another store.
        meeting = Path(tempfile.mkdtemp(dir=self._folder))
        (meeting / 'work').write_bytes(pickle.dumps(self._work))
        command = [sys.executable, '-W', 'ignore', str(Path(__file__).resolve()), str(meeting)]
        processes = []
        for times in slower:
            own = {**environment(1), 'MMCOMPOSE_SLOWER': str(times)}
            processes.append(Popen(command, cwd=ROOT, env=own))
        _wait_for(meeting, 'ready', processes)
        begin = time.perf_counter()
        (meeting / 'go').touch()
        _wait_for(meeting, 'done', processes)
        took = time.perf_counter() - begin
        for process in processes:
            process.wait()
        return took


def _wait_for(meeting: Path, sign: str, processes: Sequence[Popen[bytes]]) -> None:
    while len(list(meeting.glob(f'{sign}-*'))) < len(processes):
        assert not any(process.poll() for process in processes), 'a process has failed'
        time.sleep(0.01)


def take_part(meeting: Path) -> None:
    """Predict on a pool beside other processes."""
    work = pickle.loads((meeting / 'work').read_bytes())
    configs, images = {'one': work['config']}, work['images']
    own = meeting / f'own-{os.getpid()}'
    Composition(configs, label_pipeline=PLAIN, store=str(own), workers=1).predictions(
        images[:FIRST]
    )
    made = Composition(configs, label_pipeline=PLAIN, store=str(meeting / 'store'), workers=1)
    (meeting / f'ready-{os.getpid()}').touch()
    while not (meeting / 'go').exists():
        time.sleep(0.001)
    made.predictions(images)
    (meeting / f'done-{os.getpid()}').touch()


def slow_worker(folder: Path, count: int) -> dict[str, float]:
    """Return the wall time of two single processes, one slower, and its lower bound."""
    toys.draw(folder / 'pool', 1)
    for number in range(1, count):
        shutil.copyfile(folder / 'pool' / '000.png', folder / 'pool' / f'{number:06d}.png')
    kind = {'type': 'mmcompose.FunctionTeacher', 'function': 'benchmarks.sharing_out.slow'}
    shared = SharedOut(
        folder / 'runs', toys.images_in(folder / 'pool'), {**kind, 'classes': ['thing']}
    )
    fast, slow, both = shared.seconds(1), shared.seconds(SLOWER), shared.seconds(1, SLOWER)
    bound = 1 / (1 / fast + 1 / slow)
    return {'fast alone': fast, 'slow alone': slow, 's': both, 'bound': bound,
            'ratio': both / bound}  # fmt: skip


def processes_speedup(folder: Path, config: dict[str, Any], images: Sequence[Image]) -> float:
    """Return how many times faster two processes predict than one, their imports left out."""
    shared = SharedOut(folder, images, config)
    return shared.seconds(1) / shared.seconds(1, 1)


if __name__ == '__main__':
    take_part(Path(sys.argv[1]))
