"""Work in parts, of which each process takes what nobody else has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from mmcompose.store import Leases

_POLL_SECONDS = 0.2

# Called now and then with how many images were made since it was called last.
Tick = Callable[[int], None]


class Work(Protocol):
    """Work in parts, as one process sees it.

    Attributes:
        part_size: How many images a part holds at most.
        num_images: How many all parts hold, those that are there included.
        asks_teachers: Whether teachers predict in it: on GPUs where there are any.
    """

    part_size: int
    num_images: int
    asks_teachers: bool

    def unfinished(self) -> Sequence[int]:
        """Return the parts that are not there yet, whoever makes them."""

    def leases(self) -> Leases:
        """Return claims on the parts."""

    def make(self, parts: Iterator[int], tick: Tick) -> Iterator[int]:
        """Make parts, and yield each that is there.

        Args:
            parts: Each is claimed by the look at it: no more is looked at than is begun.
            tick: Called now and then.
        """

    def detail(self) -> str:
        """Return what there is to tell of the work so far; empty for nothing."""


# Prepares work in the process that is to take part in it; must travel to another process.
Job = Callable[[], Work]


def images_of(work: Work, parts: Iterable[int]) -> int:
    """Return how many images parts of a work hold: the last one may be smaller."""
    return sum(min(work.part_size, work.num_images - part * work.part_size) for part in parts)


def makers_of(work: Work) -> dict[int, str]:
    """Return who began each part last that is not done, whether it is still at work or not."""
    return {int(name): who for name, who in work.leases().owners().items() if name.isdecimal()}


def take_parts(work: Work, tick: Tick, wait: bool) -> Iterator[int]:
    """Make parts that nobody else is making; yield each that is there, whoever made it.

    Args:
        work: The work.
        tick: Called while a part is made, and while others are waited for.
        wait: Whether to go on until every part is there: what a process that died was making is
            taken over. Else this ends when all that is left is in others' hands.
    """
    left = set(work.unfinished())
    with work.leases() as leases:
        while left:
            idle = True
            for part in work.make(_claimed(work, leases, sorted(left)), tick):
                idle = False
                leases.release(_name(part))
                now = set(work.unfinished())
                yield from sorted(left - now)
                left = now
            now = set(work.unfinished())
            yield from sorted(left - now)
            left = now
            if idle and left:
                if not wait:
                    return
                tick(0)
                time.sleep(_POLL_SECONDS)


def _claimed(work: Work, leases: Leases, parts: Sequence[int]) -> Iterator[int]:
    """Claim one part after another that is nobody's and not there yet."""
    for part in parts:
        name = _name(part)
        if name in leases.live() or not leases.claim(name):
            continue
        # Its maker may have finished it since the look at what is left.
        if part in work.unfinished():
            yield part
        else:
            leases.release(name)


def _name(part: int) -> str:
    return f'{part:05d}'
