"""Tests that parts are shared out as they come, and that those of the dead are taken over."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from mmcompose.composition.jobs import Tick, images_of, take_parts
from mmcompose.composition.resources import Resources
from mmcompose.composition.workers import Workers
from mmcompose.store import Leases
from mmcompose.store.location import Location
from mmcompose.utils import UserError, fault
from tests.store.toys import memory


class ToyWork:
    """Parts that are names in a store; making one takes a while."""

    part_size = 1
    asks_teachers = True

    def __init__(
        self,
        location: Location,
        count: int,
        seconds: float = 0.0,
        fails_at: int | None = None,
        lease_seconds: float = 30.0,
    ) -> None:
        self.location = location
        self.count = self.num_images = count
        self.seconds = seconds
        self.fails_at = fails_at
        self.lease_seconds = lease_seconds
        self.made: list[int] = []

    def unfinished(self) -> list[int]:
        done = set(self.location.names('parts'))
        return [part for part in range(self.count) if str(part) not in done]

    def leases(self) -> Leases:
        return Leases(self.location, 'leases', self.lease_seconds)

    def detail(self) -> str:
        return ''

    def make(self, parts: Iterator[int], tick: Tick) -> Iterator[int]:
        for part in parts:
            self.make_one(part, tick)
            yield part

    def make_one(self, part: int, tick: Tick) -> None:
        if part == self.fails_at:
            raise UserError(fault('part', 'cannot be made'))
        time.sleep(self.seconds)
        tick(1)
        self.made.append(part)
        self.location.write(b'', 'parts', str(part))


@pytest.fixture
def toy() -> Callable[..., ToyWork]:
    """Makes views of one piece of work."""
    return partial(ToyWork, Location(memory()))


def _run(work: ToyWork, wait: bool = True) -> list[int]:
    return list(take_parts(work, lambda images: None, wait))


def test_the_last_part_may_be_smaller(toy: Callable[..., ToyWork]) -> None:
    work = toy(2)
    work.part_size, work.num_images = 256, 300
    assert images_of(work, work.unfinished()) == 300
    assert images_of(work, [1]) == 44


def test_one_process_makes_all_in_order(toy: Callable[..., ToyWork]) -> None:
    work = toy(5)
    assert _run(work) == work.made == [0, 1, 2, 3, 4]
    assert work.location.names('leases') == []
    assert _run(toy(5)) == []


def test_a_slow_process_gets_fewer_parts_and_no_part_is_made_twice(
    toy: Callable[..., ToyWork],
) -> None:
    views = [toy(16, seconds) for seconds in (0.05, 0.4)]
    threads = [threading.Thread(target=_run, args=(view,)) for view in views]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fast, slow = (len(view.made) for view in views)
    assert Counter(views[0].made + views[1].made) == Counter(range(16))
    assert fast > 2 * slow >= 2
    # Shared out beforehand, the slow one's half would take 3.2 seconds.
    assert time.monotonic() - started < 2.8


def test_who_does_not_wait_leaves_what_others_are_making(toy: Callable[..., ToyWork]) -> None:
    with toy(3).leases() as others:
        assert others.claim('00001')
        assert sorted(_run(toy(3), wait=False)) == [0, 2]


def test_parts_of_a_process_that_died_are_taken_over(toy: Callable[..., ToyWork]) -> None:
    lease = json.dumps({'owner': 'elsewhere:1:x', 'beat': 3}).encode()
    toy(3).location.write(lease, 'leases', '00001.lease')
    work = toy(3, lease_seconds=0.3)
    assert _run(work) == work.made
    assert sorted(work.made) == [0, 1, 2] and work.made[-1] == 1


@pytest.mark.parametrize('others', [0, 4, 64])
def test_a_claim_takes_as_few_requests_beside_many_others(
    others: int, toy: Callable[..., ToyWork], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = toy(100)
    for part in range(others):
        lease = json.dumps({'owner': f'elsewhere-{part}:1:x', 'beat': 3}).encode()
        work.location.write(lease, 'leases', f'{part:05d}.lease')
    requests: Counter[str] = Counter()
    for name in ('read', 'names', 'create', 'write', 'remove'):
        _count_calls(work.location, name, requests, monkeypatch)
    parts = take_parts(work, lambda images: None, wait=False)
    next(parts)
    # Claims, what is done before and after, a claim taken and given back, and the part.
    assert requests == {'names': 4, 'create': 1, 'write': 1, 'remove': 1}
    assert len(list(parts)) == 99 - others
    # Whether those of others have expired is seen when nothing else is left, and once more.
    assert requests['read'] == 2 * others
    assert requests['create'] == 100 - others


def _count_calls(
    location: Location, name: str, calls: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = getattr(location, name)

    def counted(*arguments: Any) -> Any:
        calls[name] += 1
        return call(*arguments)

    monkeypatch.setattr(location, name, counted)


def test_a_part_that_fails_is_given_back(toy: Callable[..., ToyWork]) -> None:
    with pytest.raises(UserError, match='part: cannot be made'):
        _run(toy(3, fails_at=1))
    assert toy(3).unfinished() == [1, 2]
    assert toy(3).location.names('leases') == []
    assert _run(toy(3)) == [1, 2]


def test_progress_is_shown_within_a_part(
    toy: Callable[..., ToyWork], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr('mmcompose.utils.progress_bar.SECONDS_BETWEEN_LINES', 0)
    monkeypatch.setattr('mmcompose.utils.progress_bar.log', lines.append)
    work = toy(2)
    work.part_size, work.num_images = 256, 300
    make_one = work.make_one

    def slowly(part: int, tick: Tick) -> None:
        for _ in range(3 - 2 * part):
            tick(32)
        make_one(part, lambda images: None)

    monkeypatch.setattr(work, 'make_one', slowly)
    with Workers(Resources(workers=1)) as workers:
        workers.run(lambda: work, lambda: work, 'teachers predict')
    shown = [int(line.split()[2]) for line in lines]
    # What is done needs no line.
    assert shown == [32, 64, 96, 256, 288]
    assert all(' of 300 (' in line for line in lines)
