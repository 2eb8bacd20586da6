"""Label with many processes, kill some, and compare what they write with what one writes.

    python benchmarks/scale_out.py --out benchmarks/results/scale_out.json

Under torchrun (gloo), as single processes on one store, and on a local Ray cluster where Ray is
installed. Every file of predictions and labels has to be the same, byte for byte.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import ROOT, Bar, console, environment, exit_on_mistake, write_results
from benchmarks.store_scale import PLAIN
from mmcompose.composition import Composition, RayWorkers
from tests import toys

PICTURES, SECONDS = 4096, 0.01
# Ray's workers leave the cores to whatever else runs, for as long as that takes.
_NOT_NICE = {'RAY_worker_niceness': '0'}
KILLED_AFTER = 2


def slow(pixels: NDArray[np.uint8]) -> Any:
    """Find rectangles, in a while."""
    time.sleep(SECONDS)
    return toys.see(pixels, toys.STUDENT)


def composition(store: Path) -> Composition:
    """Return a composition of one slow teacher."""
    kind = {'type': 'mmcompose.FunctionTeacher', 'function': 'benchmarks.scale_out.slow'}
    teachers = {'slow': {**kind, 'classes': list(toys.STUDENT)}}
    return Composition(teachers, label_pipeline=PLAIN, store=str(store), workers=1)


def take_part(pool: Path, store: Path, launcher: str) -> None:
    """Label the pool, alone or beside others."""
    made = composition(store)
    if launcher == 'pytorch':
        import torch

        torch.distributed.init_process_group('gloo')
    if launcher == 'ray':
        made.make_workers = RayWorkers
    made.labels(toys.images_in(pool))


def files(store: Path) -> dict[str, bytes]:
    """Return the content of every file of results, by its path."""
    found = [*store.rglob('*.parquet'), *store.rglob('labels-*.arrow')]
    return {str(path.relative_to(store)): path.read_bytes() for path in found}


class Runs:
    """Ways to label one pool.

    Args:
        folder: Where pool and stores are.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        toys.draw(folder / 'pool', count)

    def start(self, store: str, *launch: str, launcher: str = 'none') -> subprocess.Popen[bytes]:
        """Start a process, or what a launcher starts."""
        own = [str(Path(__file__).resolve()), '--part', str(self.folder / 'pool'),
               str(self.folder / store), launcher]  # fmt: skip
        command = [sys.executable, *launch, *own]
        # A group of its own, so that a killed launcher leaves nobody behind.
        return subprocess.Popen(
            command, cwd=ROOT, env=environment(1) | _NOT_NICE, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def wait_for_parts(self, store: str, count: int, run: subprocess.Popen[bytes]) -> None:
        """Wait until so many parts of predictions are there, which a run makes."""
        while len(list((self.folder / store).glob('predictions/*/*.parquet'))) < count:
            assert run.poll() is None, f'ended with {run.returncode} before it was killed'
            time.sleep(0.05)

    def alone(self, store: str) -> float:
        """One process."""
        begin = time.perf_counter()
        assert self.start(store).wait() == 0
        return time.perf_counter() - begin

    def singles(self, store: str) -> float:
        """Two processes; one is killed, and a third joins."""
        begin = time.perf_counter()
        killed, other = self.start(store), self.start(store)
        self.wait_for_parts(store, KILLED_AFTER, other)
        killed.kill()
        killed.wait()
        late = self.start(store)
        assert other.wait() == 0 and late.wait() == 0
        return time.perf_counter() - begin

    def torchrun(self, store: str) -> float:
        """Three ranks, of which one is killed, which ends the run; then the run again."""
        launch = ('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=3')
        begin = time.perf_counter()
        first = self.start(store, *launch, launcher='pytorch')
        self.wait_for_parts(store, KILLED_AFTER, first)
        ranks = _children(first.pid)
        os.kill(ranks[-1], signal.SIGKILL)
        assert first.wait() != 0
        assert self.start(store, *launch, launcher='pytorch').wait() == 0
        return time.perf_counter() - begin

    def ray(self, store: str) -> float:
        """A local cluster, of which one process is killed."""
        begin = time.perf_counter()
        run = self.start(store, launcher='ray')
        self.wait_for_parts(store, KILLED_AFTER, run)
        os.kill(self._at_work(store), signal.SIGKILL)
        assert run.wait() == 0
        return time.perf_counter() - begin

    def _at_work(self, store: str) -> int:
        """Return the number of a process that has claimed a part."""
        while True:
            for lease in (self.folder / store).glob('work/*/*.lease'):
                with contextlib.suppress(FileNotFoundError):
                    owner: str = json.loads(lease.read_text())['owner']
                    return int(owner.rsplit(':', 2)[1])


def _children(process: int) -> list[int]:
    path = Path(f'/proc/{process}/task/{process}/children')
    return [int(each) for each in path.read_text().split()]


def main() -> int:
    """Run each, print the figures and check the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--out', type=Path, help='a JSON file')
    parser.add_argument('--quick', action='store_true', help='a quarter of the pictures')
    parser.add_argument('--part', nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        pool, store, launcher = args.part
        take_part(Path(pool), Path(store), launcher)
        return 0
    count = PICTURES // 4 if args.quick else PICTURES
    figures: dict[str, Any] = {'pictures': count}
    bars: dict[str, Bar] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        runs = Runs(folder, count)
        ways = {
            'one process': runs.alone,
            'single processes, one killed, one late': runs.singles,
            'torchrun, 3 ranks, one killed, run again': runs.torchrun,
        }
        if find_spec('ray') is not None:
            ways['Ray, one killed'] = runs.ray
        for number, (name, run) in enumerate(ways.items()):
            figures[name] = round(run(f'store{number}'), 1)
            console.print(f'{name}: {figures[name]} s')
            if number:
                same = files(folder / f'store{number}') == files(folder / 'store0')
                bars[f'{name}: same bytes'] = Bar(float(same), 1.0)
    return write_results(args.out.resolve(), figures, bars)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
