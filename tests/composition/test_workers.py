"""Tests that the same labels come out, whoever makes them and whoever is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.composition import Composition
from mmcompose.composition.jobs import Tick
from mmcompose.composition.resources import Resources
from mmcompose.composition.workers import Workers
from mmcompose.registry import TEACHERS
from mmcompose.store import LabelStore
from mmcompose.store.location import Location
from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher
from mmcompose.utils import UserError, fault
from tests import toys
from tests.composition.test_jobs import ToyWork

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
PART_SIZE = 2


@TEACHERS.register_module(force=True)
class SlowTeacher(Teacher):
    """Defined outside mmcompose; takes its time, and fails at one image."""

    def __init__(
        self, classes: Sequence[str], seconds: float = 0.0, fails_at: str | None = None
    ) -> None:
        self.classes = tuple(classes)
        self.seconds = seconds
        self.fails_at = fails_at

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        found = []
        for image in images:
            time.sleep(self.seconds)
            if image.key == self.fails_at:
                raise UserError(fault('', f'{image.path}: is too hard'))
            boxes, scores, labels = toys.see(image.pixels, self.classes)
            found.append(Detections.from_arrays(boxes, scores, labels))
        return found


def _slow(**arguments: Any) -> dict[str, Any]:
    return {'slow': {'type': 'SlowTeacher', 'classes': list(toys.STUDENT), **arguments}}


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LabelStore, 'part_size', PART_SIZE)
    # Workers are started at once, however short the work.
    monkeypatch.setattr('mmcompose.composition.workers.PAYS_SECONDS', -1.0)


class Endless(ToyWork):
    """Work that the process that started the others never ends; others do what they are named."""

    def __init__(self, folder: Path, first: int, others: str) -> None:
        super().__init__(Location(folder), 3)
        self.first = first
        self.others = others

    def make_one(self, part: int, tick: Tick) -> None:
        own = os.getpid()
        if own != self.first and self.others == 'raise':
            raise UserError(fault('second', 'cannot'))
        if own != self.first and self.others == 'die':
            os.kill(own, signal.SIGKILL)
        self.location.write(b'', 'processes', str(own))
        for _ in range(1200):
            time.sleep(0.1)
            tick(1)


def _run(folder: Path, others: str) -> None:
    job = partial(Endless, folder, os.getpid(), others)
    with Workers(Resources(2)) as workers:
        workers.run(job, job, 'work')


def test_a_mistake_in_one_process_stops_the_others(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(UserError, match='second: cannot'):
        _run(tmp_path, 'raise')
    assert time.monotonic() - started < 100


def test_a_process_that_is_killed_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'composition\.workers: one of 2 processes was killed'):
        _run(tmp_path, 'die')


@pytest.mark.parametrize('moment', ['while it starts', 'at work'])
def test_workers_end_with_the_run_that_was_killed(moment: str, tmp_path: Path) -> None:
    program = (
        'from pathlib import Path\n'
        'from mmcompose.composition import workers\n'
        'from tests.composition.test_workers import _run\n'
        'workers.PAYS_SECONDS = -1.0\n'
        f"if __name__ == '__main__':\n"
        f'    _run(Path({str(tmp_path)!r}), "work")\n'
    )
    (tmp_path / 'run.py').write_text(program)
    process = subprocess.Popen([sys.executable, tmp_path / 'run.py'], env=ENVIRONMENT, cwd=ROOT)
    _wait_until(lambda: bool(_children(process.pid)))
    if moment == 'at work':
        _wait_until(lambda: len(list(tmp_path.glob('processes/*'))) == 2)
    workers = _children(process.pid)
    process.kill()
    process.wait()
    _wait_until(lambda: not any(Path(f'/proc/{worker}').exists() for worker in workers), 15)


def _children(process: int) -> list[int]:
    """Return the processes that one has started."""
    return [
        int(each) for each in Path(f'/proc/{process}/task/{process}/children').read_text().split()
    ]


def _wait_until(happened: Callable[[], bool], seconds: float = 100) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_an_image_is_decoded_once_for_all_teachers(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    calls = []
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, 'imdecode', lambda *a: calls.append(a) or decode(*a))
    images = toys.images_in(pool)
    Composition.from_config(toys.composition(tmp_path)).predictions(images)
    assert len(calls) == len(images)
    assert all('pixels' not in vars(image) for image in images)


def _make(store: Path, pool: Path, workers: int, **slow: Any) -> str:
    """Return a program that makes labels in small parts."""
    return (
        'from pathlib import Path\n'
        'from mmcompose.store import LabelStore\n'
        'from mmcompose.composition import workers\n'
        'workers.PAYS_SECONDS = -1.0\n'
        f'LabelStore.part_size = {PART_SIZE}\n'
        'from mmcompose.composition import Composition\n'
        'from tests import toys\n'
        'import tests.composition.test_workers as here\n'
        'if __name__ == "__main__":\n'
        f'    config = toys.composition({str(store)!r}, workers={workers},'
        f' teachers={{**toys.TEACHERS, **here._slow(**{slow!r})}})\n'
        f'    Composition.from_config(config).labels(toys.images_in(Path({str(pool)!r})))\n'
    )


@pytest.fixture(scope='module')
def by_workers(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, bytes]]:
    """The store's files by how many processes made them, each by a script of its own."""
    folder = tmp_path_factory.mktemp('workers')
    for workers in (1, 3):
        script = folder / f'{workers}.py'
        script.write_text(_make(folder / str(workers), pool, workers))
    running = [
        subprocess.Popen([sys.executable, folder / f'{n}.py'], env=ENVIRONMENT) for n in (1, 3)
    ]
    assert [process.wait(300) for process in running] == [0, 0]
    return {workers: toys.files_below(folder / str(workers)) for workers in (1, 3)}


def test_any_number_of_processes_makes_the_same_bytes(
    by_workers: dict[int, dict[str, bytes]],
) -> None:
    assert by_workers[3] == by_workers[1]
    # Of eight images four parts for each of three teachers, and one file of labels.
    assert sum(name.endswith('.parquet') for name in by_workers[1]) == 3 * 4
    assert sum('/labels-' in name for name in by_workers[1]) == 1


def test_of_two_single_processes_one_comes_late_and_goes_on_for_the_one_that_is_killed(
    by_workers: dict[int, dict[str, bytes]], pool: Path, tmp_path: Path
) -> None:
    store = tmp_path / 'store'
    program = _make(store, pool, 1)
    slow = program.replace(
        'if __name__',
        'predict = here.SlowTeacher.predict\n'
        'def slowly(self, images):\n'
        '    here.time.sleep(3)\n'
        '    return predict(self, images)\n'
        'here.SlowTeacher.predict = slowly\n'
        'if __name__',
    )
    processes = []
    for name, text in (('slow', slow), ('late', program)):
        (tmp_path / name).write_text(text)
        processes.append(subprocess.Popen([sys.executable, tmp_path / name], env=ENVIRONMENT))
        _wait_until(lambda: bool(list(store.rglob('*.parquet'))) or processes[0].poll() is not None)
    first, late = processes
    assert first.poll() is None
    first.kill()
    first.wait()
    assert late.wait(300) == 0
    made = {n: content for n, content in toys.files_below(store).items() if '.tmp' not in n}
    assert made == by_workers[1]


def test_two_ranks_of_torchrun_make_one_store(
    by_workers: dict[int, dict[str, bytes]], pool: Path, tmp_path: Path
) -> None:
    script = tmp_path / 'ranks.py'
    program = _make(tmp_path / 'store', pool, 1)
    script.write_text(
        program.replace(
            'if __name__ == "__main__":\n',
            'if __name__ == "__main__":\n'
            '    from mmcompose.commands.label import _join\n'
            '    _join("pytorch", {"backend": "nccl"})\n',
        )
    )
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node=2',
               '--rdzv-backend=c10d', '--rdzv-endpoint=localhost:0', str(script)]  # fmt: skip
    subprocess.run(command, check=True, timeout=300, env=ENVIRONMENT)
    assert toys.files_below(tmp_path / 'store') == by_workers[1]


def test_labels_of_a_run_are_those_of_the_pool(
    by_workers: dict[int, dict[str, bytes]], pool: Path, tmp_path: Path
) -> None:
    teachers = {**toys.TEACHERS, **_slow()}
    labels = Composition.from_config(toys.composition(tmp_path, teachers=teachers)).labels(
        toys.images_in(pool)
    )
    assert [len(labels[row]) for row in range(8)] == [3, 3, 3, 0, 3, 3, 3, 3]
    assert np.all(labels[0].votes.sum(1) >= 2)
