"""Tests of labelling on a Ray cluster, of which a process is killed; skipped without Ray."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from mmcompose.composition import Composition, RayWorkers, ray_workers
from mmcompose.store import LabelStore
from mmcompose.utils import UserError
from tests import toys

ray = pytest.importorskip('ray')
PART_SIZE = 4
KILLED = ray.exceptions.OutOfMemoryError('memory was short')


def dies_once(pixels: NDArray[np.uint8], lives: str) -> Any:
    """Find rectangles; the first process of two that sees one is killed."""
    try:
        os.mkdir(Path(gettempdir()) / lives)
    except FileExistsError:
        return toys.see(pixels, toys.STUDENT)
    os.kill(os.getpid(), signal.SIGKILL)


def always_dies(pixels: NDArray[np.uint8]) -> Any:
    """Kill each process that sees a picture."""
    os.kill(os.getpid(), signal.SIGKILL)


def refuses(pixels: NDArray[np.uint8]) -> Any:
    """Fail at any picture."""
    return [[0, 0, 1]], [0.5], [0]


@pytest.fixture(scope='module', autouse=True)
def _cluster() -> Iterator[None]:
    root = str(Path(__file__).parents[2])
    environment = {'PYTHONPATH': root, 'OMP_NUM_THREADS': '1'}
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={'env_vars': environment, 'worker_process_setup_hook': _small_parts},
    )
    yield
    ray.shutdown()


def _small_parts() -> None:
    LabelStore.part_size = PART_SIZE


def _composition(store: Path, function: str, **arguments: Any) -> Composition:
    teacher = {
        'type': 'mmcompose.FunctionTeacher',
        'function': f'tests.composition.test_ray.{function}',
        'classes': list(toys.STUDENT),
        'arguments': arguments,
    }
    return Composition.from_config(toys.composition(store, teachers={'one': teacher}))


def _files(store: Path) -> dict[str, bytes]:
    kinds = ('*.parquet', 'labels-*.arrow')
    found = (path for kind in kinds for path in store.rglob(kind))
    return {str(path.relative_to(store)): path.read_bytes() for path in found}


def test_a_cluster_writes_what_one_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LabelStore, 'part_size', PART_SIZE)
    toys.draw(tmp_path / 'pool', 18)
    images = toys.images_in(tmp_path / 'pool')
    # No path: what a config names as one counts by its content.
    lives = f'mmcompose-{uuid4().hex}'
    made = _composition(tmp_path / 'cluster', 'dies_once', lives=lives)
    made.make_workers = RayWorkers
    made.labels(images)
    assert (Path(gettempdir()) / lives).is_dir()
    _composition(tmp_path / 'alone', 'dies_once', lives=lives).labels(images)
    assert _files(tmp_path / 'cluster') == _files(tmp_path / 'alone')
    assert len(_files(tmp_path / 'alone')) == 6
    (Path(gettempdir()) / lives).rmdir()


def test_a_mistake_reaches_the_user(tmp_path: Path) -> None:
    toys.draw(tmp_path / 'pool', 2)
    made = _composition(tmp_path / 'store', 'refuses')
    made.make_workers = RayWorkers
    with pytest.raises(UserError, match=r'composition\.teachers\.one\.boxes: are of shape'):
        made.labels(toys.images_in(tmp_path / 'pool'))


def test_a_picture_that_kills_each_process_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LabelStore, 'part_size', PART_SIZE)
    toys.draw(tmp_path / 'pool', 2)
    made = _composition(tmp_path / 'store', 'always_dies')
    made.make_workers = RayWorkers
    # Whose claim another process took over before it was looked at died at a part unknown.
    ends = '3 processes died (making part 0 |before a part was done)'
    with pytest.raises(UserError, match=ends) as raised:
        made.labels(toys.images_in(tmp_path / 'pool'))
    assert '\n' not in str(raised.value)


def test_only_who_died_counts_against_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    work: Any = SimpleNamespace(num_images=12, part_size=4)
    makers = {0: 'here:1:aa', 2: 'here:2:bb'}
    monkeypatch.setattr(ray_workers, 'makers_of', lambda _: makers)
    deaths = ray_workers._Deaths(work)
    for place, process in enumerate(['here:1', 'here:3', 'here:4', None]):
        makers[0] = f'{process}:aa'
        deaths.count(place, process if place else 'here:9', KILLED)
    # Three died at work on part 0, of which one is not known; who makes part 2 lives.
    makers[0] = 'here:5:aa'
    with pytest.raises(UserError, match='3 processes died making part 0 '):
        deaths.count(4, 'here:5', KILLED)


def test_want_of_memory_is_a_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.draw(tmp_path / 'pool', 2)
    made = _composition(tmp_path / 'store', 'refuses')
    made.make_workers = RayWorkers
    monkeypatch.setattr(ray_workers._Actor, 'take_part', _is_short_of_memory)
    with pytest.raises(UserError, match='3 processes died before a part was done'):
        made.labels(toys.images_in(tmp_path / 'pool'))


def _is_short_of_memory(self: Any, job: Any) -> None:
    raise KILLED


def test_a_plugin_that_is_missing_on_the_cluster_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, 'plugin_modules', lambda: ['no_such_plugin'])
    toys.draw(tmp_path / 'pool', 2)
    made = _composition(tmp_path / 'store', 'refuses')
    made.make_workers = RayWorkers
    with pytest.raises(Exception, match="No module named 'no_such_plugin'"):
        made.labels(toys.images_in(tmp_path / 'pool'))
