"""Tests that Ctrl-C and SIGTERM end a labelling command with its workers, in one line."""

from __future__ import annotations

import os
import signal
import time

import pytest

from benchmarks.fault_world import World, content

# What it takes on an idle machine, and what a busy one may make of it.
SECONDS, BUSY = 2.0, 5.0


@pytest.fixture(scope='module')
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A config, and a store that nobody interrupted."""
    made = World(tmp_path_factory.mktemp('interrupts') / 'world')
    assert made.start(made.folder / 'whole', 1, 0.0).wait() == 0
    return made


# A terminal's Ctrl-C is sent to the command's process group, in which its workers are not.
@pytest.mark.parametrize(
    ('number', 'to_group', 'forked'),
    [(signal.SIGINT, True, False), (signal.SIGTERM, False, True)],
    ids=['INT', 'TERM'],
)
def test_two_processes_end_at_once(number: int, to_group: bool, forked: bool, world: World) -> None:
    store = world.folder / f'{number}'
    run = world.start(store, 2, 0.2, forked=forked)
    end = time.monotonic() + 200
    while not run.workers():
        assert run.code is None and time.monotonic() < end, run.told
        time.sleep(0.05)
    (os.killpg if to_group else os.kill)(run.pid, number)
    assert run.seconds_until_gone(30) < SECONDS * BUSY
    assert run.code == 130
    assert run.told == ['interrupted; what was made so far is kept']
    assert world.start(store, 1, 0.0).wait() == 0
    assert content(store) == content(world.folder / 'whole')
