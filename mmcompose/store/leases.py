"""Leases: which process makes what, so that work is shared out as it comes."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Sequence
from types import TracebackType

from mmcompose.store.location import Location
from mmcompose.utils import UserError, log

LEASE_SECONDS = 30.0
# How often one that may be renewed is looked at in that time.
_LOOKS = 30
_SUFFIX = '.lease'


class Leases:
    """Claims on pieces of work, as files in a folder that all who take part see.

    A lease records who works on what, never what is done: whoever makes a piece writes the same
    bytes, so that a claim that two processes hold costs time and nothing else. Its holder renews
    it; one that is not renewed for a while, on the clock of whoever looks, has expired.

    Args:
        location: The store's.
        folder: Where the leases are.
        seconds: After how long one that is not renewed has expired. Defaults to 30.
    """

    def __init__(self, location: Location, folder: str, seconds: float = LEASE_SECONDS) -> None:
        self._location = location
        self._folder = folder
        self._seconds = seconds
        self._owner = f'{this_process()}:{uuid.uuid4().hex[:8]}'
        self._held: dict[str, int] = {}
        # What others' leases were when they were last seen to change.
        self._seen: dict[str, tuple[bytes, float]] = {}
        # A lease that was given back must not be renewed.
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._renewing: threading.Thread | None = None

    def __enter__(self) -> Leases:
        self._renewing = threading.Thread(target=self._renew, daemon=True)
        self._renewing.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._renewing is not None:
            self._renewing.join()
        for name in list(self._held):
            self.release(name)

    def claim(self, name: str) -> bool:
        """Claim a piece of work, and return whether it is this process's now."""
        content = self._content(0)
        if self._location.create(content, self._folder, lease_name(name)):
            self._held[name] = 0
            return True
        if not self.has_expired(name):
            return False
        self._location.write(content, self._folder, lease_name(name))
        self._held[name] = 0
        return True

    def release(self, name: str) -> None:
        """Give a piece of work back, done or not."""
        with self._lock:
            self._held.pop(name, None)
            self._location.remove(self._folder, lease_name(name))

    def owners(self) -> dict[str, str]:
        """Return who claimed each piece last, expired claims too."""
        found = {}
        for name, content in _claims(self._location, [self._folder]).items():
            if (owner := _owner_in(content)) is not None:
                found[name.rsplit('/', 1)[-1].removesuffix(_SUFFIX)] = owner
        return found

    def names(self) -> list[str]:
        """Return what others have claimed, expired claims too; a look at the folder alone."""
        there = filter(is_lease, self._location.names(self._folder))
        names = (name.removesuffix(_SUFFIX) for name in there)
        return [name for name in names if name not in self._held]

    def live(self) -> list[str]:
        """Return what others have claimed, expired claims left out; reads each claim."""
        return [name for name in self.names() if not self.has_expired(name)]

    def _content(self, beat: int) -> bytes:
        return json.dumps({'owner': self._owner, 'beat': beat}).encode()

    def has_expired(self, name: str) -> bool:
        """Return whether what another has claimed is nobody's any more; reads that claim."""
        try:
            content = self._location.read(self._folder, lease_name(name))
        except FileNotFoundError:
            return True
        now = time.monotonic()
        then, since = self._seen.get(name, (b'', now))
        if content != then:
            self._seen[name] = (content, now)
            since = now
        return _is_dead(content) or now - since > self._seconds

    def _renew(self) -> None:
        while not self._ended.wait(self._seconds / 4):
            with self._lock:
                for name, beat in list(self._held.items()):
                    self._held[name] = beat + 1
                    # A store that cannot be written to is reported by whoever writes results.
                    with contextlib.suppress(UserError):
                        self._location.write(
                            self._content(beat + 1), self._folder, lease_name(name)
                        )


def lease_name(name: str) -> str:
    """Return the name of the file that claims a piece of work."""
    return f'{name}{_SUFFIX}'


def is_lease(name: str) -> bool:
    """Return whether a file claims a piece of work."""
    return name.endswith(_SUFFIX) and not name.startswith('.')


def are_held(location: Location, folders: Sequence[str], seconds: float = LEASE_SECONDS) -> bool:
    """Return whether some process is at work in folders of a store.

    Takes up to ``seconds`` where there are claims, unless they are known to be of processes that
    have ended: a process that is at work renews its own.

    Args:
        location: The store's.
        folders: Where claims may be.
        seconds: After how long one that is not renewed has expired. Defaults to 30.
    """
    before = _claims(location, folders)
    if all(map(_is_dead, before.values())):
        return False
    log(f'{location.url}: waiting to see whether claims are renewed')
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(seconds / _LOOKS)
        if any(before.get(name) != each for name, each in _claims(location, folders).items()):
            return True
    return False


def _claims(location: Location, folders: Sequence[str]) -> dict[str, bytes]:
    found = {}
    for folder in folders:
        for name in filter(is_lease, location.names(folder)):
            # Given back since, it is nobody's.
            with contextlib.suppress(FileNotFoundError):
                found[f'{folder}/{name}'] = location.read(folder, name)
    return found


def _is_dead(content: bytes) -> bool:
    """Return whether a lease is of a process of this machine that has ended, or of nobody."""
    process = _process_of(_owner_in(content) or '')
    return process is None or (process[0] == machine() and not _is_running(process[1]))


def this_process() -> str:
    """Return what leases of this process begin with: its machine and number."""
    return f'{machine()}:{os.getpid()}'


def machine() -> str:
    """Return where this process's number means a process: this machine, or a container on it."""
    # Containers may share the name of their host, and each numbers its own processes.
    try:
        return f'{platform.node()}/{os.readlink("/proc/self/ns/pid")}'
    except OSError:
        return platform.node()


def _owner_in(content: bytes) -> str | None:
    try:
        return str(json.loads(content)['owner'])
    except (ValueError, KeyError, TypeError):
        return None


def _process_of(owner: str) -> tuple[str, int] | None:
    try:
        host, process, _ = owner.rsplit(':', 2)
        return host, int(process)
    except ValueError:
        return None


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
