"""Work in parts, of which each process takes what nobody else has."""

from __future__ import annotations

import secrets
import time
from collections import deque
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
            for part in work.make(_claimed(work, leases, left), tick):
                idle = False
                leases.release(_name(part))
                yield from _take_off_done(work, left)
            yield from _take_off_done(work, left)
            if idle and left:
                if not wait:
                    return
                tick(0)
                time.sleep(_POLL_SECONDS)


def _take_off_done(work: Work, left: set[int]) -> list[int]:
    done = left.difference(work.unfinished())
    left -= done
    return sorted(done)


def _claimed(work: Work, leases: Leases, left: set[int]) -> Iterator[int]:
    """Claim one part after another that is nobody's and not there yet.

    A look at a part is a request to the store: at those that others hold there is none as long as
    there are more. Alone a process takes them in order, beside others from any of them on.

    Args:
        work: The work.
        leases: The claims.
        left: The parts that are not there yet; others are taken off meanwhile.
    """
    others = set(leases.names())
    free = deque(part for part in sorted(left) if _name(part) not in others)
    held = [part for part in sorted(left) if _name(part) in others]
    meets_others = bool(others)
    while free:
        if meets_others:
            # Those who go through the parts one behind another would meet at each.
            free.rotate(-secrets.randbelow(len(free)))
        part = free.popleft()
        is_claimed = part in left and leases.claim(_name(part))
        meets_others = part in left and not is_claimed
        if is_claimed and _is_to_make(work, leases, part):
            yield part
    for part in held:
        is_free = part in left and leases.has_expired(_name(part))
        if is_free and leases.claim(_name(part)) and _is_to_make(work, leases, part):
            yield part


def _is_to_make(work: Work, leases: Leases, part: int) -> bool:
    """Return whether a part is still missing; its maker may have made it before it was claimed."""
    if part in work.unfinished():
        return True
    leases.release(_name(part))
    return False


def _name(part: int) -> str:
    return f'{part:05d}'
