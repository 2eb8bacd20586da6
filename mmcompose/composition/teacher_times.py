"""TeacherTimes: how fast a process predicts, and what each teacher takes of its time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class TeacherTimes:
    """What teachers took of this process so far; what readers do beside it is left out.

    Args:
        teachers: Their names.

    Attributes:
        images: How many were seen by all of them.
    """

    def __init__(self, teachers: Iterable[str]) -> None:
        self._seconds = dict.fromkeys(teachers, 0.0)
        self.images = 0

    @contextmanager
    def of(self, teacher: str) -> Iterator[None]:
        """Count what is done meanwhile as a teacher's."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[teacher] += time.perf_counter() - started

    def __str__(self) -> str:
        total = sum(self._seconds.values())
        if not total or not self.images:
            return ''
        shares = ', '.join(f'{name} {each / total:.0%}' for name, each in self._seconds.items())
        return f'{self.images / total:.3g} images/s a process, time of {shares}'
