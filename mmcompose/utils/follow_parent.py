"""What a labeling worker runs first: a script that ends it with its parent, at any moment.

It is run by its path and imports the standard library alone: what a worker imports afterwards
takes seconds, in which its parent may be killed.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.spawn import prepare

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 5.0


def follow(parent: int) -> None:
    """End this process when its parent ends.

    Args:
        parent: The parent's process id.
    """
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    # It may have ended before.
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    # What workers write is whole or absent.
    os._exit(1)


def main() -> None:
    """Follow the parent, then do what it sends."""
    parent, descriptor = map(int, sys.argv[1:])
    follow(parent)
    # A terminal's Ctrl-C reaches all; the parent ends the run, and with it this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection: Connection = Connection(descriptor)
    process = multiprocessing.current_process()
    # As in multiprocessing: a script without a guard must not start workers of workers.
    process._inheriting = True  # type: ignore[attr-defined]
    try:
        prepare(connection.recv())
        del process._inheriting  # type: ignore[attr-defined]
        connection.recv()(connection)
    except EOFError:
        # The parent has ended, and reports why.
        sys.exit(1)


if __name__ == '__main__':
    main()
