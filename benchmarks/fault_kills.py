"""Kill a run of `mmcompose label` at a random moment: nothing stays, and nothing is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.common import console
from benchmarks.fault_world import Run, World, content

# Of a picture, so that a run takes longer than its workers take to start.
SECONDS = 0.12
FIRST_MOMENT = 0.2
# By whether a run starts from nothing, when it is nearly done on an idle machine.
LAST_MOMENT = {False: 20.0, True: 35.0}
ORPHAN_SECONDS = 15.0
INTERRUPT_SECONDS = 2.0
# One of so many is started from nothing; the others are forked, which spares their imports.
STARTED_EVERY = 5


@dataclass
class Kill:
    """A run that was killed, and what became of it.

    Args:
        target: Who was killed, and how.
        workers: How many processes it had.
        started: Whether it was started from nothing, rather than forked.
        moment: When, in seconds after its start.
        gone: Seconds until no process was left.
        code: Its exit code.
        ended_right: Whether it ended as it should: with its exit code, in one line.
        lines: How many lines it wrote to stderr.
        told: The last of them.
        is_same: Whether the run after it made the bytes of one that nobody killed.
    """

    target: str
    workers: int
    started: bool
    moment: float
    gone: float = 0.0
    code: int | None = None
    ended_right: bool = True
    lines: int = 0
    told: str = ''
    is_same: bool = False

    @property
    def is_interrupt(self) -> bool:
        """Whether it was asked to end."""
        return self.target.startswith(('SIGINT', 'SIGTERM'))


def kill_many(folder: Path, count: int) -> list[Kill]:
    """Kill runs at random moments, and run each again to its end."""
    world, chance = World(folder / 'world'), random.Random(0)
    reference = folder / 'reference'
    assert world.start(reference, 1, 0.0).wait() == 0
    expected = content(reference)
    targets = ['main', 'worker', 'SIGTERM', 'SIGINT', 'SIGTERM to all', 'SIGINT to all']
    kills = []
    for number in range(count):
        target, started = targets[number % len(targets)], number % STARTED_EVERY == 0
        moment = chance.uniform(FIRST_MOMENT, LAST_MOMENT[started])
        kill = Kill(target, chance.choice((2, 3)), started, moment)
        _kill(world, folder / f'{number}', kill, chance, expected)
        kills.append(kill)
        console.print(number, asdict(kill), markup=False)
    return kills


def _kill(
    world: World, store: Path, kill: Kill, chance: random.Random, expected: dict[str, bytes]
) -> None:
    run = world.start(store, kill.workers, SECONDS, forked=not kill.started)
    while run.code is None and time.monotonic() - run.started < kill.moment:
        time.sleep(0.01)
    if kill.target == 'worker':
        while run.code is None and not run.workers():
            time.sleep(0.01)
    has_ended = run.code is not None
    if not has_ended:
        _send(run, kill.target, chance)
    # A run whose worker was killed tells so and ends, too.
    kill.gone = run.seconds_until_gone(ORPHAN_SECONDS)
    kill.code = run.code
    # A traceback names folders of the machine; its last line tells what was raised.
    kill.lines, kill.told = len(run.told), ''.join(run.told[-1:])
    right = {'main': (-signal.SIGKILL, 0), 'worker': (2, 1)}.get(kill.target, (130, 1))
    # One that had made all and was about to exit may end by the signal itself.
    has_ended = has_ended or (store.exists() and content(store) == expected)
    kill.ended_right = has_ended or (run.code, kill.lines) == right
    again = world.start(store, 1, 0.0)
    kill.is_same = again.wait() == 0 and content(store) == expected
    if kill.is_same:
        shutil.rmtree(store)
    else:
        console.print(again.told, markup=False)


def _send(run: Run, target: str, chance: random.Random) -> None:
    if target == 'main':
        os.kill(run.pid, signal.SIGKILL)
    elif target == 'worker':
        os.kill(chance.choice(run.workers() or [run.pid]), signal.SIGKILL)
    else:
        name, _, to_all = target.partition(' ')
        for process in run.processes() if to_all else [run.pid]:
            os.kill(process, signal.Signals[name])
