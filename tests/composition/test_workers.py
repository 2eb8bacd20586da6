"""Tests that the same labels come out, whoever makes them and whoever is killed on the way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
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
from tests.processes import CONTEXT
from tests.store.toys import memory

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
PART_SIZE = 2


@TEACHERS.register_module(force=True)
class SlowTeacher(Teacher):
    """Defined outside mmcompose; takes its time."""

    # What it takes for a picture.
    pause = 0.0

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        found = []
        for image in images:
            time.sleep(self.pause)
            boxes, scores, labels = toys.see(image.pixels, self.classes)
            found.append(Detections.from_arrays(boxes, scores, labels))
        return found


THREE_TEACHERS = {**toys.TEACHERS, 'slow': {'type': 'SlowTeacher', 'classes': list(toys.STUDENT)}}


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
    with pytest.MonkeyPatch.context() as patch, Workers(Resources(2)) as workers:
        # Workers are started at once, however short the work.
        patch.setattr('mmcompose.composition.workers.PAYS_SECONDS', -1.0)
        workers.run(job, job, 'work')


class Witnessed(ToyWork):
    """Work whose makers each leave the GPUs that they see; one waits until another was there."""

    def __init__(self, folder: Path, asks_teachers: bool) -> None:
        super().__init__(Location(folder), 4)
        self.asks_teachers = asks_teachers

    def make_one(self, part: int, tick: Tick) -> None:
        seen = os.environ.get('CUDA_VISIBLE_DEVICES', 'all')
        self.location.write(seen.encode(), 'makers', str(os.getpid()))
        for _ in range(1 if self.asks_teachers else 600):
            tick(1)
            if len(self.location.names('makers')) > 1:
                break
            time.sleep(0.1)
        super().make_one(part, tick)


def test_beside_a_gpu_other_processes_take_part_where_no_teacher_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = SimpleNamespace(is_available=lambda: True)
    monkeypatch.setattr('mmcompose.composition.resources.torch', SimpleNamespace(cuda=cuda))
    monkeypatch.setattr('mmcompose.composition.resources.num_cores', lambda: 2)
    monkeypatch.setattr('mmcompose.composition.workers.PAYS_SECONDS', -1.0)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    makers = []
    with Workers(Resources()) as workers:
        for turn, asks_teachers in enumerate((True, False, True)):
            job = partial(Witnessed, tmp_path / str(turn), asks_teachers)
            workers.run(job, job, 'work')
            made = Location(tmp_path / str(turn))
            names = made.names('makers')
            makers.append({int(name): made.read('makers', name).decode() for name in names})
    own = {os.getpid(): 'all'}
    assert makers[0] == makers[2] == own
    assert sorted(makers[1].values()) == ['', 'all']


def test_a_mistake_in_one_process_stops_the_others(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(UserError, match='second: cannot'):
        _run(tmp_path, 'raise')
    assert time.monotonic() - started < 100


def test_a_process_that_is_killed_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'composition\.workers: one of 2 processes was killed'):
        _run(tmp_path, 'die')


def _without(_: bytes, job: Callable[[], Endless]) -> Endless:
    return job()


def test_a_process_that_is_killed_while_it_starts_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\nkill -9 $$\n')
    python.chmod(0o755)
    monkeypatch.setattr('mmcompose.composition.workers.PAYS_SECONDS', -1.0)
    monkeypatch.setattr('mmcompose.composition.workers.sys.executable', str(python))
    job = partial(Endless, tmp_path, os.getpid(), 'work')
    # More than a pipe takes before anybody reads it.
    large = partial(_without, bytes(2**24), job)
    told = pytest.raises(UserError, match=r'one of 2 processes was killed \(exit status -9\)')
    with told, Workers(Resources(2)) as workers:
        workers.run(job, large, 'work')


def test_a_store_in_memory_is_filled_by_one_process(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LabelStore, 'part_size', PART_SIZE)
    monkeypatch.setattr('mmcompose.composition.workers.PAYS_SECONDS', -1.0)
    monkeypatch.setattr(Workers, '_start', lambda *arguments: pytest.fail('another is started'))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    images = toys.images_in(pool)
    composition = Composition.from_config(toys.composition(memory(), workers=2))
    assert len(composition.labels(images)) == len(images)


@pytest.mark.parametrize('group', ['cluster', 'launcher'])
def test_a_store_in_memory_is_none_for_a_group(
    group: str, pool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composition = Composition.from_config(toys.composition(memory()))
    if group == 'cluster':
        composition.make_workers = partial(Workers, Resources())
    else:
        where = 'mmcompose.composition.composition.get_dist_info'
        monkeypatch.setattr(where, lambda: (0, 2))
    with pytest.raises(UserError, match=r"^composition\.store: 'memory://\w+' is in the memory"):
        composition.labels(toys.images_in(pool))


@pytest.mark.parametrize('moment', ['while it starts', 'at work'])
def test_workers_end_with_the_run_that_was_killed(moment: str, tmp_path: Path) -> None:
    process = CONTEXT.Process(target=_run, args=(tmp_path, 'work'))
    process.start()
    assert process.pid is not None
    _wait_until(lambda: bool(_children(process.pid)))
    if moment == 'at work':
        _wait_until(lambda: len(list(tmp_path.glob('processes/*'))) == 2)
    workers = _children(process.pid)
    process.kill()
    process.join()
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


def make_labels(store: Path, pool: Path, workers: int, seconds: float = 0.0) -> None:
    """Make labels of three teachers, in small parts.

    Args:
        store: Where to.
        pool: A folder of pictures.
        workers: How many processes take part.
        seconds: What one of the teachers takes for a picture.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LabelStore, 'part_size', PART_SIZE)
        patch.setattr('mmcompose.composition.workers.PAYS_SECONDS', -1.0)
        patch.setattr(SlowTeacher, 'pause', seconds)
        config = toys.composition(store, workers=workers, teachers=THREE_TEACHERS)
        Composition.from_config(config).labels(toys.images_in(pool))


def _script(path: Path, *arguments: Any, first: str = '') -> Path:
    """Write a script that makes labels, after its first line."""
    path.write_text(
        'from pathlib import Path, PosixPath\n'
        'from tests.composition.test_workers import make_labels\n'
        'if __name__ == "__main__":\n'
        f'    {first}\n'
        f'    make_labels{arguments!r}\n'
    )
    return path


@pytest.fixture(scope='module')
def by_workers(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, bytes]]:
    """The store's files by how many processes made them: this one, and three of a script."""
    folder = tmp_path_factory.mktemp('workers')
    script = _script(folder / 'three.py', folder / '3', pool, 3)
    subprocess.run([sys.executable, script], env=ENVIRONMENT, check=True, timeout=300)
    make_labels(folder / '1', pool, 1)
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
    processes = []
    for seconds in (1.5, 0.0):
        processes.append(CONTEXT.Process(target=make_labels, args=(store, pool, 1, seconds)))
        processes[-1].start()
        _wait_until(lambda: bool(list(store.rglob('*.parquet'))) or not processes[0].is_alive())
    first, late = processes
    assert first.is_alive()
    first.kill()
    first.join()
    late.join(300)
    assert late.exitcode == 0
    made = {n: content for n, content in toys.files_below(store).items() if '.tmp' not in n}
    assert made == by_workers[1]


def test_two_ranks_of_torchrun_make_one_store(
    by_workers: dict[int, dict[str, bytes]], pool: Path, tmp_path: Path
) -> None:
    join = 'from mmcompose.commands.label import _join; _join("pytorch", {"backend": "nccl"})'
    script = _script(tmp_path / 'ranks.py', tmp_path / 'store', pool, 1, first=join)
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node=2',
               '--rdzv-backend=c10d', '--rdzv-endpoint=localhost:0', str(script)]  # fmt: skip
    subprocess.run(command, check=True, timeout=300, env=ENVIRONMENT)
    assert toys.files_below(tmp_path / 'store') == by_workers[1]


@pytest.mark.parametrize(
    ('launcher', 'environment'),
    [
        ('slurm', {'SLURM_PROCID': '{}', 'SLURM_NTASKS': '2', 'SLURM_NODELIST': 'node[3-4]'}),
        (
            'mpi',
            {
                'OMPI_COMM_WORLD_RANK': '{}',
                'OMPI_COMM_WORLD_SIZE': '2',
                'OMPI_COMM_WORLD_LOCAL_RANK': '{}',
                'MASTER_ADDR': '127.0.0.1',
            },
        ),
    ],
    ids=['slurm', 'mpi'],
)
def test_processes_of_a_launcher_join_without_a_gpu(
    launcher: str, environment: dict[str, str], tmp_path: Path
) -> None:
    # In place of slurm's own, which knows its machines.
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\n[ "$3" = "node[3-4]" ] && echo 127.0.0.1 && echo node4\n')
    scontrol.chmod(0o755)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    join = (
        'from mmengine.dist import barrier, get_dist_info\n'
        'from mmcompose.commands.label import _join\n'
        'from mmcompose.checks.check_files import check_launcher\n'
        f'check_launcher("{launcher}")\n_join("{launcher}", {{"backend": "nccl"}})\n'
        'barrier()\nprint(*get_dist_info())\nbarrier()\n'
    )
    ranks = [
        subprocess.Popen(
            [sys.executable, '-c', join],
            stdout=subprocess.PIPE,
            text=True,
            env={
                **ENVIRONMENT,
                'PATH': f'{tmp_path}:{os.environ["PATH"]}',
                'CUDA_VISIBLE_DEVICES': '',
                'MASTER_PORT': str(port),
                **{name: value.format(rank) for name, value in environment.items()},
            },
        )
        for rank in range(2)
    ]
    assert [each.communicate(timeout=200)[0].split()[-2:] for each in ranks] == [
        ['0', '2'],
        ['1', '2'],
    ]


def test_labels_of_a_run_are_those_of_the_pool(
    by_workers: dict[int, dict[str, bytes]], pool: Path, tmp_path: Path
) -> None:
    labels = Composition.from_config(toys.composition(tmp_path, teachers=THREE_TEACHERS)).labels(
        toys.images_in(pool)
    )
    assert [len(labels[row]) for row in range(8)] == [3, 3, 3, 0, 3, 3, 3, 3]
    assert np.all(labels[0].votes.sum(1) >= 2)
