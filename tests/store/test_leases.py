"""Tests of Leases: one holder a piece, and none when its holder is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from mmcompose.store import Leases
from mmcompose.store.leases import are_held, machine
from mmcompose.store.location import Location
from tests.store.toys import location_of


@pytest.fixture(params=['local', 'memory', 's3'])
def location(request: pytest.FixtureRequest) -> Location:
    """A store, here and elsewhere."""
    return Location(location_of(request))


def test_a_piece_has_one_holder_until_it_is_given_back(location: Location) -> None:
    with Leases(location, 'work') as one, Leases(location, 'work') as other:
        assert one.claim('00000') and not other.claim('00000')
        assert other.claim('00001')
        assert other.live() == ['00000'] and one.live() == ['00001']
        one.release('00000')
        assert other.claim('00000')
    assert location.names('work') == []


def test_a_lease_that_is_renewed_does_not_expire(location: Location) -> None:
    with Leases(location, 'work', 0.4) as one, Leases(location, 'work', 0.4) as other:
        assert one.claim('00000')
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            assert not other.claim('00000')
            time.sleep(0.05)


def test_a_lease_that_is_not_renewed_expires(location: Location) -> None:
    elsewhere = json.dumps({'owner': 'elsewhere:1:x', 'beat': 3}).encode()
    location.write(elsewhere, 'work', '00000.lease')
    with Leases(location, 'work', 0.3) as leases:
        assert not leases.claim('00000')
        assert leases.live() == ['00000']
        time.sleep(0.4)
        assert leases.live() == []
        assert leases.claim('00000')


def test_a_lease_of_a_process_that_died_here_expires_at_once(location: Location) -> None:
    died = subprocess.Popen([sys.executable, '-c', ''])
    died.wait()
    for process, is_free in ((died.pid, True), (os.getppid(), False)):
        owner = f'{machine()}:{process}:x'
        location.write(json.dumps({'owner': owner, 'beat': 0}).encode(), 'work', '00000.lease')
        with Leases(location, 'work') as leases:
            assert leases.claim('00000') == is_free


def test_a_lease_that_is_no_lease_is_none(location: Location) -> None:
    location.write(b'\xff', 'work', '00000.lease')
    with Leases(location, 'work') as leases:
        assert leases.claim('00000')


def test_folders_are_held_by_who_renews_a_claim(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = ['work', 'labels']
    assert not are_held(location, folders)
    owner = {'owner': 'elsewhere:1:x', 'beat': 3}
    location.write(json.dumps(owner).encode(), 'labels', '00000.lease')
    # Of a machine that is gone nobody can tell at once.
    began = time.monotonic()
    assert not are_held(location, folders, 0.2) and time.monotonic() - began >= 0.2

    def renew(_: float) -> None:
        location.write(json.dumps({**owner, 'beat': 4}).encode(), 'labels', '00000.lease')

    clock = SimpleNamespace(sleep=renew, monotonic=time.monotonic)
    monkeypatch.setattr('mmcompose.store.leases.time', clock)
    assert are_held(location, folders)


def test_folders_are_not_held_by_a_process_that_died_here(location: Location) -> None:
    died = subprocess.Popen([sys.executable, '-c', ''])
    died.wait()
    owner = f'{machine()}:{died.pid}:x'
    location.write(json.dumps({'owner': owner, 'beat': 0}).encode(), 'work', '00000.lease')
    assert not are_held(location, ['work'])


def test_a_process_of_another_container_of_one_name_is_not_taken_for_dead(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number means another process there, or none here."""
    died = subprocess.Popen([sys.executable, '-c', ''])
    died.wait()
    with monkeypatch.context() as there:
        there.setattr('mmcompose.store.leases.os.readlink', lambda path: 'pid:[1]')
        there.setattr('mmcompose.store.leases.os.getpid', lambda: died.pid)
        other = Leases(location, 'work')
    assert other.claim('00000')
    with Leases(location, 'work') as leases:
        assert leases.live() == ['00000'] and not leases.claim('00000')
