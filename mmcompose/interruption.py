"""Interruption: Ctrl-C and SIGTERM end a command in one line, wherever it is.

Imports the standard library alone, so that a command can guard what it imports afterwards.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType, TracebackType

# As a shell reports a process that SIGINT ended.
INTERRUPTED = 128 + signal.SIGINT
# What is not unwound by then is cut off.
GRACE_SECONDS = 0.5
_LINE = 'interrupted; what was made so far is kept'
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NO_SIGNAL = b'\0'


class Interruption:
    """Listens for Ctrl-C and SIGTERM while a command runs.

    Either raises KeyboardInterrupt in the main thread. That may come late, while C code runs, or
    be lost, where a destructor is interrupted; so a thread, which the system wakes, ends the
    process where it has not ended by itself after :data:`GRACE_SECONDS`, exit functions included.

    Attributes:
        happened: Whether one of the signals came.
    """

    def __init__(self) -> None:
        self.happened = False
        self._is_over = False
        self._is_told = False
        self._telling = threading.Lock()
        self._before = [signal.getsignal(number) for number in _SIGNALS]
        self._reads, self._writes = os.pipe()

    def __enter__(self) -> Interruption:
        os.set_blocking(self._writes, False)
        for number in _SIGNALS:
            signal.signal(number, self._raise)
        signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=self._forget)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over = True
        if self.happened:
            self._tell()
            # Not sys.exit: to tear down what was imported takes seconds, in which no thread runs,
            # and may crash where an import was cut short. The thread sees to it that this ends.
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            # Of a process that was forked they are another's.
            if multiprocessing.parent_process() is None:
                atexit._run_exitfuncs()
            os._exit(INTERRUPTED)
        self._restore()
        os.write(self._writes, _NO_SIGNAL)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if not (self.happened or self._is_over):
            self.happened = True
            # What is torn down from now on may be half made.
            sys.unraisablehook = lambda unraisable: None
            raise KeyboardInterrupt

    def _restore(self) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def _forget(self) -> None:
        """Leave a process that was forked, such as a data loader's, to its own ways."""
        if not self._is_over:
            self._restore()

    def _watch(self) -> None:
        # Any signal with a handler wakes it: that of a worker of a data loader that ended, too.
        number = os.read(self._reads, 1)
        while number != _NO_SIGNAL and number[0] not in _SIGNALS:
            number = os.read(self._reads, 1)
        if number == _NO_SIGNAL:
            os.close(self._reads)
            os.close(self._writes)
            return
        # The pipe stays open: Python complains where it cannot write a second signal into it.
        threading.Event().wait(GRACE_SECONDS)
        self._tell()
        for child in multiprocessing.active_children():
            child.kill()
        os._exit(INTERRUPTED)

    def _tell(self) -> None:
        # Whoever comes second waits until the line is written: it ends the process.
        with self._telling:
            if not self._is_told:
                self._is_told = True
                # Not through sys.stderr, whose lock the main thread may hold.
                os.write(2, f'{_LINE}\n'.encode())
