"""Tests that the processes of a group wait for each other, and that a lost one is told."""

from __future__ import annotations

import re
import threading
import time
from itertools import count
from typing import Any

import pytest
import torch.distributed

from mmcompose.composition import peers
from mmcompose.composition.peers import Peers
from mmcompose.utils import UserError

SILENT_SECONDS = 0.5


class Group:
    """Views of one group, each of a rank."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
        self.store: Any = torch.distributed.HashStore()
        self._ranks = iter(range(size))
        monkeypatch.setattr(peers, '_get_default_store', lambda: self.store)
        monkeypatch.setattr(peers, 'get_dist_info', lambda: (next(self._ranks), size))
        # Each process counts for itself.
        monkeypatch.setattr(peers, '_numbers', count(0, 0))
        monkeypatch.setattr(peers, '_BEAT_SECONDS', 0.05)


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda size: Group(monkeypatch, size)


def test_alone_there_is_nobody_to_wait_for() -> None:
    with Peers() as alone:
        alone.check()
        alone.meet('')
        assert alone.agree(lambda: 3) == 3


def test_all_leave_when_the_last_has_come(group: Any) -> None:
    group(3)
    views = [Peers(60) for _ in range(3)]
    left: list[float] = []

    def run(view: Peers, seconds: float) -> None:
        with view:
            time.sleep(seconds)
            view.meet('same')
            left.append(time.monotonic())

    started = time.monotonic()
    moments = zip(views, (0.0, 0.3, 0.6), strict=True)
    threads = [threading.Thread(target=run, args=each) for each in moments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(left) == 3
    assert min(left) - started >= 0.6


def test_all_are_told_when_one_comes_with_other_labels(group: Any) -> None:
    group(3)
    views = [Peers(60) for _ in range(3)]
    told: list[str] = []

    def run(view: Peers, labels: str) -> None:
        with view:
            view.meet('at first the same')
            try:
                view.meet(labels)
            except UserError as error:
                told.append(str(error))

    threads = [
        threading.Thread(target=run, args=each)
        for each in zip(views, ('some', 'some', 'others'), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(told) == 3
    assert all('process 2 of 3 has another pool or another config' in each for each in told)


def test_all_agree_on_what_the_first_finds(group: Any) -> None:
    group(3)
    views = [Peers(60) for _ in range(3)]
    found: list[Any] = []

    def run(view: Peers, number: int) -> None:
        with view:
            for turn in range(2):
                found.append(view.agree(lambda: [[number, f'{turn}']]))
            view.meet('same')

    threads = [
        threading.Thread(target=run, args=each) for each in zip(views, range(3), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(found) == [[[0, '0']]] * 3 + [[[0, '1']]] * 3


def _told(view: Peers) -> str:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            view.check()
        except UserError as error:
            return str(error)
        time.sleep(0.02)
    return ''


def test_one_that_falls_silent_is_told(group: Any) -> None:
    group(2)
    one, other = Peers(SILENT_SECONDS), Peers(SILENT_SECONDS)
    with one:
        with other:
            time.sleep(2 * SILENT_SECONDS)
            one.check()
        assert re.match('--launcher: process 1 of 2 has ended or is out of reach', _told(one))
        with pytest.raises(UserError, match='process 1 of 2'):
            one.meet('')


def test_one_that_never_begins_is_told(group: Any) -> None:
    group(2)
    with Peers(SILENT_SECONDS) as one:
        assert 'process 1 of 2 has not begun to label; run again' in _told(one)


def test_the_end_of_the_one_that_keeps_the_store_is_told(group: Any) -> None:
    class Gone:
        def add(self, name: str, more: int) -> int:
            raise RuntimeError('Broken pipe')

        def set(self, name: str, value: str) -> None:
            raise RuntimeError('Broken pipe')

    view = Peers(SILENT_SECONDS) if group(2) else None
    assert view is not None
    view._store = Gone()  # type: ignore[assignment]
    with view, pytest.raises(UserError, match='process 0, which keeps what all see, has ended'):
        view.meet('')
