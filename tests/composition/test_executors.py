"""Tests that the same labels come out, whoever makes them and whoever is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.composition import Composition
from mmcompose.composition.executors import run_shares
from mmcompose.registry import TEACHERS
from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher
from mmcompose.utils import UserError, fault
from tests import toys

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
SHARD_SIZE = 2


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
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    # Default arguments are set when a function is made; those of another process are its own.
    from mmcompose.store import ShardedResult

    defaults = (*ShardedResult.__init__.__defaults__[:-1], SHARD_SIZE)
    monkeypatch.setattr(ShardedResult.__init__, '__defaults__', defaults)


def small_shares(rank: int, world_size: int) -> None:
    """Fail in the second process; the first would be at work for two minutes."""
    if rank == 1:
        raise UserError(fault('second', 'cannot'))
    time.sleep(120)


def test_a_mistake_in_one_process_stops_the_others() -> None:
    started = time.monotonic()
    with pytest.raises(UserError, match='second: cannot'):
        run_shares(small_shares, workers=2, num_shards=2)
    assert time.monotonic() - started < 100


def killed(rank: int, world_size: int) -> None:
    """Die as for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_told_in_one_line() -> None:
    with pytest.raises(UserError, match=r'composition\.workers: one of 2 processes was killed'):
        run_shares(killed, workers=2, num_shards=2)


def _note_and_sleep(folder: Path, rank: int, world_size: int) -> None:
    (folder / str(rank)).write_text(str(os.getpid()))
    time.sleep(120)


def test_processes_end_with_the_run_that_was_killed(tmp_path: Path) -> None:
    program = (
        'from functools import partial; from pathlib import Path\n'
        'from mmcompose.composition.executors import run_shares\n'
        'from tests.composition.test_executors import _note_and_sleep\n'
        f"if __name__ == '__main__':\n"
        f'    run_shares(partial(_note_and_sleep, Path({str(tmp_path)!r})), 2, 2)\n'
    )
    (tmp_path / 'run.py').write_text(program)
    process = subprocess.Popen([sys.executable, tmp_path / 'run.py'], env=ENVIRONMENT, cwd=ROOT)
    _wait_until(lambda: all((tmp_path / name).is_file() for name in '01'))
    workers = [int((tmp_path / name).read_text()) for name in '01']
    process.kill()
    process.wait()
    _wait_until(lambda: not any(Path(f'/proc/{worker}').exists() for worker in workers))


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


def test_only_what_is_missing_is_made(pool: Path, tmp_path: Path) -> None:
    images = toys.images_in(pool)
    made = Composition.from_config(toys.composition(tmp_path, teachers=_slow()))
    made.predictions(images)
    shard = next(tmp_path.rglob('shard-00001.parquet'))
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.parquet')}
    shard.unlink()
    made.predictions(images)
    again = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.parquet')}
    assert [path for path in times if again[path] != times[path]] == [shard]


def _make(store: Path, pool: Path, workers: int, **slow: Any) -> str:
    """Return a program that makes labels by small shards."""
    return (
        'from pathlib import Path\n'
        'from mmcompose.store import ShardedResult\n'
        f'ShardedResult.__init__.__defaults__ = ({SHARD_SIZE},)\n'
        'from mmcompose.composition import Composition\n'
        'from tests import toys\n'
        'import tests.composition.test_executors as here\n'
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
    # Of two there is a test below; four shards do not share out evenly among three.
    assert by_workers[3] == by_workers[1]
    assert sum(name.endswith('.parquet') for name in by_workers[1]) == 4 * 4


def test_a_killed_run_goes_on_where_it_was_and_makes_the_same_bytes(
    by_workers: dict[int, dict[str, bytes]], pool: Path, tmp_path: Path
) -> None:
    store = tmp_path / 'store'
    script = tmp_path / 'killed.py'
    script.write_text(
        _make(store, pool, 1).replace(
            'if __name__',
            'predict = here.SlowTeacher.predict\n'
            'def slowly(self, images):\n'
            '    here.time.sleep(3)\n'
            '    return predict(self, images)\n'
            'here.SlowTeacher.predict = slowly\n'
            'if __name__',
        )
    )
    process = subprocess.Popen([sys.executable, script], env=ENVIRONMENT)
    while not list(store.rglob('shard-*.parquet')):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    finished = {path: path.read_bytes() for path in store.rglob('shard-*.parquet')}
    assert 0 < len(finished) < 12
    next(store.rglob('shard-*.parquet')).with_name('.shard-00003.parquet.0.tmp').write_bytes(b'')
    teachers = {**toys.TEACHERS, **_slow()}
    images = toys.images_in(pool)
    Composition.from_config(toys.composition(store, teachers=teachers)).labels(images)
    made = {
        name: content for name, content in toys.files_below(store).items() if '.tmp' not in name
    }
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
