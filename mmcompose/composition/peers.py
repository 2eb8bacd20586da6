"""Peers: the processes of a launcher's group, as one of them watches the others."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from types import TracebackType
from typing import Any

from mmengine.dist import get_dist_info
from torch.distributed.distributed_c10d import PrefixStore, _get_default_store

from mmcompose.utils import UserError, fault

# After how long one that gives no sign of life is taken for lost.
SILENT_SECONDS = 30.0
_BEAT_SECONDS = 2.0
_POLL_SECONDS = 0.1
_LEAVING_SECONDS = 10.0
# All processes of a group count alike.
_numbers = count()


class Peers:
    """The processes of a group, each of which gives a sign of life every other second.

    A collective would wait for a lost one until it times out, half an hour later. Alone, this
    process has none.

    Args:
        silent_seconds: After how long one that gives no sign of life is taken for lost. Defaults
            to 30.
    """

    def __init__(self, silent_seconds: float = SILENT_SECONDS) -> None:
        self._rank, self._world_size = get_dist_info()
        self._silent_seconds = silent_seconds
        self._store = None
        if self._world_size > 1:
            prefix = f'mmcompose/peers/{next(_numbers)}'
            self._store = PrefixStore(prefix, _get_default_store())
        self._beats: dict[int, tuple[int, float]] = {}
        self._lost: str | None = None
        self._meetings = count()
        self._has_left = threading.Event()
        self._watching: threading.Thread | None = None

    def __enter__(self) -> Peers:
        if self._store is not None:
            now = time.monotonic()
            others = (rank for rank in range(self._world_size) if rank != self._rank)
            self._beats = {rank: (0, now) for rank in others}
            self._watching = threading.Thread(target=self._watch, daemon=True)
            self._watching.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._has_left.set()
        if self._watching is not None:
            self._watching.join()

    def check(self) -> None:
        """Check that all are there.

        Raises:
            UserError: If one of them is lost.
        """
        if self._lost is not None:
            expected = f'{self._lost}; run again, and it goes on with what was made so far'
            raise UserError(fault('--launcher', expected))

    def meet(self, labels: str) -> None:
        """Wait until all have come here, with the same labels in mind.

        Args:
            labels: What addresses them in the store.

        Raises:
            UserError: If one of them is lost, or comes with other labels.
        """
        if self._store is None:
            return
        number = next(self._meetings)
        met, left = f'met/{number}', f'left/{number}'
        with self._told_if_gone():
            self._store.set(f'{met}/{self._rank}', labels)
        self._count(met, 1)
        self._wait(met, self._world_size)
        with self._told_if_gone():
            brought = [self._store.get(f'{met}/{rank}') for rank in range(self._world_size)]
        # The one that keeps the store is the last to leave.
        if self._rank == 0:
            self._wait(left, self._world_size - 1, time.monotonic() + _LEAVING_SECONDS)
        else:
            self._count(left, 1)
        for rank, each in enumerate(brought):
            if each != brought[0]:
                expected = (
                    f'process {rank} of {self._world_size} has another pool or another config than '
                    'process 0: all are to see the same files'
                )
                raise UserError(fault('--launcher', expected))

    def agree(self, make: Callable[[], Any]) -> Any:
        """Return to all what a function returns in the first of them.

        Args:
            make: Called there alone; returns plain values.

        Raises:
            UserError: If one of them is lost.
        """
        if self._store is None:
            return make()
        name = f'agreed/{next(self._meetings)}'
        if self._rank == 0:
            made = json.dumps(make())
            with self._told_if_gone():
                self._store.set(f'{name}/value', made)
            self._count(name, 1)
        self._wait(name, 1)
        with self._told_if_gone():
            return json.loads(self._store.get(f'{name}/value'))

    def _wait(self, name: str, expected: int, until: float = float('inf')) -> None:
        while self._count(name, 0) < expected and time.monotonic() < until:
            self.check()
            time.sleep(_POLL_SECONDS)

    def _count(self, name: str, more: int) -> int:
        """Add to a number that all see, and return it."""
        assert self._store is not None
        with self._told_if_gone():
            return int(self._store.add(name, more))

    @contextmanager
    def _told_if_gone(self) -> Iterator[None]:
        try:
            yield
        # As torch calls a broken connection.
        except RuntimeError:
            self._lost = 'process 0, which keeps what all see, has ended or is out of reach'
            self.check()
            raise

    def _watch(self) -> None:
        try:
            while True:
                self._count(str(self._rank), 1)
                now = time.monotonic()
                for rank, (beat, since) in self._beats.items():
                    found = self._count(str(rank), 0)
                    if found != beat:
                        self._beats[rank] = (found, now)
                    elif now - since > self._silent_seconds:
                        seen = 'has ended or is out of reach' if beat else 'has not begun to label'
                        self._lost = f'process {rank} of {self._world_size} {seen}'
                        return
                if self._has_left.wait(_BEAT_SECONDS):
                    return
        except UserError:
            # Told by whoever checks.
            return
