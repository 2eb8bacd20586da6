"""Predicting: teachers predict on the pictures that they have not seen."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from mmcompose.composition.jobs import Tick
from mmcompose.composition.unreadable import Unreadable, why_unreadable
from mmcompose.store import LabelStore, Leases, WorkList
from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher
from mmcompose.utils import UserError, key_prefix

# How many decoded pictures are in memory at once.
CHUNK_SIZE = 32


class Predicting:
    """The work of teachers on a pool, as one process sees it.

    Args:
        store: Where predictions go.
        work: What is missing.
        teachers: By name; no weights are loaded before one predicts.
        unreadable: How many pictures may be unreadable.
    """

    def __init__(
        self,
        store: LabelStore,
        work: WorkList,
        teachers: Mapping[str, Teacher],
        unreadable: Unreadable,
    ) -> None:
        self._store = store
        self._work = work
        self._teachers = teachers
        self._unreadable = unreadable
        self.part_size = work.part_size
        # What each teacher took of this process; the first decodes the pictures for the others.
        self._seconds = dict.fromkeys(teachers, 0.0)
        self._num_images = 0

    def unfinished(self) -> Sequence[int]:
        """See :class:`mmcompose.composition.jobs.Work`."""
        return self._work.unfinished()

    def leases(self) -> Leases:
        """See :class:`mmcompose.composition.jobs.Work`."""
        return self._store.leases(self._work.folder)

    def detail(self) -> str:
        """Return how fast this process is, and the share of each teacher."""
        total = sum(self._seconds.values())
        if not total:
            return ''
        shares = ', '.join(f'{name} {each / total:.0%}' for name, each in self._seconds.items())
        return f'{self._num_images / total:.3g} images/s a process, time of {shares}'

    def make(self, part: int, tick: Tick) -> None:
        """Let each teacher predict on its images of a part; each is decoded once.

        Raises:
            UserError: If a teacher raises it, or too many pictures cannot be read.
        """
        images, wanted = self._work.images_of(part)
        found: dict[str, list[Detections]] = {name: [] for name in wanted}
        reasons: dict[str, list[str | None]] = {name: [] for name in wanted}
        for start in range(0, len(images), CHUNK_SIZE):
            chunk = images[start : start + CHUNK_SIZE]
            for name, mask in wanted.items():
                asked = [chunk[n] for n in np.flatnonzero(mask[start : start + CHUNK_SIZE])]
                made, why = self._predict(name, asked)
                found[name] += made
                reasons[name] += why
            for image in chunk:
                image.forget_pixels()
            self._num_images += len(chunk)
            tick(len(chunk))
        for name, mask in wanted.items():
            own = [images[n] for n in np.flatnonzero(mask)]
            self._work.write(name, part, own, found[name], reasons[name])

    def _predict(
        self, name: str, images: Sequence[Image]
    ) -> tuple[list[Detections], list[str | None]]:
        """Return a teacher's detections of images, and why some of these cannot be read."""
        reasons: list[str | None] = [None] * len(images)
        try:
            # Where its header could not be read either, no teacher can place boxes in it.
            if all(image.width and image.height for image in images):
                return self._ask(name, images), reasons
            reasons = [why_unreadable(image) for image in images]
        except UserError:
            # A teacher that does not look at pixels has nothing against such pictures.
            reasons = [why_unreadable(image) for image in images]
            if not any(reasons):
                raise
        for image, reason in zip(images, reasons, strict=True):
            if reason is not None:
                self._unreadable.add(image.key, reason)
        pairs = zip(images, reasons, strict=True)
        readable = iter(self._ask(name, [image for image, reason in pairs if reason is None]))
        return [Detections() if reason else next(readable) for reason in reasons], reasons

    def _ask(self, name: str, images: Sequence[Image]) -> list[Detections]:
        if not images:
            return []
        started = time.perf_counter()
        found = ask(name, self._teachers[name], images)
        self._seconds[name] += time.perf_counter() - started
        return found


def ask(name: str, teacher: Teacher, images: Sequence[Image]) -> list[Detections]:
    """Let a teacher predict; its mistakes name it."""
    with key_prefix(f'composition.teachers.{name}'):
        return teacher.predict(images)
