"""Tests that Ctrl-C and SIGTERM end a command in one line, whatever it is at."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINE = 'interrupted; what was made so far is kept\n'
# Of a busy machine; what hangs would take longer.
SECONDS = 20

AT_WORK = {
    'python code': 'time.sleep(60)',
    'code that swallows it': (
        'while True:\n'
        '        try:\n'
        '            time.sleep(60)\n'
        '        except KeyboardInterrupt:\n'
        '            pass'
    ),
    'C code': "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)",
    'an import that takes it for another error': (
        'try:\n'
        '        time.sleep(60)\n'
        '    except KeyboardInterrupt as error:\n'
        "        raise ImportError('half imported') from error"
    ),
    'a destructor': (
        'class Slow:\n'
        '        def __del__(self):\n'
        '            time.sleep(60)\n'
        '    slow = Slow()\n'
        '    del slow\n'
        '    time.sleep(60)'
    ),
    'an exit that a thread delays': (
        'threading.Thread(target=time.sleep, args=(60,)).start()\n    time.sleep(60)'
    ),
    'a child process': (
        'multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,)).start()\n'
        '    time.sleep(60)'
    ),
}


def _start(body: str) -> subprocess.Popen[str]:
    program = (
        'import atexit, hashlib, multiprocessing, os, signal, sys, threading, time\n'
        'from mmcompose.interruption import Interruption\n'
        # A shell lets what it starts in the background ignore it.
        'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
        'with Interruption():\n'
        "    print('ready', flush=True)\n"
        f'    {body}\n'
    )
    command = [sys.executable, '-c', program]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == 'ready\n'
    return process


@pytest.mark.parametrize('body', AT_WORK.values(), ids=AT_WORK)
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_it_is_one_line_whatever_is_at_work(number: int, body: str) -> None:
    process = _start(body)
    time.sleep(0.1)
    started = time.monotonic()
    process.send_signal(number)
    # Until all who hold the other ends of its pipes are gone, its children included.
    _, told = process.communicate(timeout=SECONDS)
    assert (process.returncode, told) == (130, LINE)
    assert time.monotonic() - started < SECONDS


def test_it_is_one_line_however_often_it_is_asked() -> None:
    process = _start(AT_WORK['code that swallows it'])
    for _ in range(20):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert process.communicate(timeout=SECONDS)[1] == LINE
    assert process.returncode == 130


def test_a_line_that_is_slow_to_write_is_written() -> None:
    body = (
        'write = os.write\n'
        '    os.write = lambda *given: (time.sleep(1), write(*given))\n'
        "    print('slow', flush=True)\n"
        '    time.sleep(60)'
    )
    process = _start(body)
    assert process.stdout is not None
    assert process.stdout.readline() == 'slow\n'
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=SECONDS)[1] == LINE
    assert process.returncode == 130


def test_what_is_to_happen_at_exit_happens(tmp_path: Path) -> None:
    # A busy machine may not get to it within the grace.
    grace = 'import mmcompose.interruption as own; own.GRACE_SECONDS = 10'
    registered = f'{grace}; atexit.register(open, {str(tmp_path / "made")!r}, "w")'
    process = _start(f"{registered}\n    print('registered', flush=True)\n    time.sleep(60)")
    assert process.stdout is not None
    assert process.stdout.readline() == 'registered\n'
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=SECONDS)[1] == LINE
    assert (tmp_path / 'made').is_file()


def test_without_a_signal_all_is_as_before() -> None:
    body = (
        'pass\n'
        'assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n'
        'assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL'
    )
    process = _start(body)
    assert process.communicate(timeout=SECONDS)[1] == ''
    assert process.returncode == 0


def test_a_process_that_is_forked_has_its_own_end() -> None:
    body = (
        'child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))\n'
        '    child.start()\n'
        '    time.sleep(0.5)\n'
        '    os.kill(child.pid, signal.SIGTERM)\n'
        '    child.join()\n'
        '    print(child.exitcode)'
    )
    out, told = _start(body).communicate(timeout=SECONDS)
    assert (out, told) == ('-15\n', '')


def test_a_child_that_ends_interrupts_nobody() -> None:
    # As torch's data loader does, whose workers end with each epoch.
    body = (
        'signal.signal(signal.SIGCHLD, lambda number, frame: None)\n'
        '    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(0,))\n'
        '    child.start()\n'
        '    child.join()\n'
        '    time.sleep(1.5)\n'
        '    print("whole")'
    )
    process = _start(body)
    out, told = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, told) == (0, 'whole\n', '')


def test_a_signal_after_a_child_ended_is_one_line_still() -> None:
    body = (
        'signal.signal(signal.SIGCHLD, lambda number, frame: None)\n'
        '    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(0,))\n'
        '    child.start()\n'
        '    child.join()\n'
        '    time.sleep(60)'
    )
    process = _start(body)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=SECONDS)[1] == LINE
    assert process.returncode == 130
