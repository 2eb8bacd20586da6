"""Predicting: teachers predict on the pictures that they have not seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import torch

from mmcompose.composition.jobs import Tick
from mmcompose.composition.reading import Read, Reading, Wanted, Window, in_windows
from mmcompose.composition.teacher_times import TeacherTimes
from mmcompose.composition.unreadable import Unreadable, why_unreadable
from mmcompose.store import LabelStore, Leases, WorkList
from mmcompose.structures import Detections, Image
from mmcompose.teachers import PreparedTeacher, Teacher
from mmcompose.teachers.batches import Batches
from mmcompose.utils import UserError, key_prefix

# How many decoded pictures are in memory at once, for teachers that look at pixels themselves: so
# many, or so many pixels of large ones.
CHUNK_SIZE, CHUNK_PIXELS = 32, 64_000_000


class Predicting:
    """The work of teachers on a pool, as one process sees it.

    Args:
        store: Where predictions go.
        work: What is missing.
        teachers: Those that have something to predict, by name; no weights are loaded before one
            does.
        unreadable: How many pictures may be unreadable.
        readers: How many processes read and prepare pictures ahead of this one. Defaults to 0:
            it does so itself.
    """

    asks_teachers = True

    def __init__(
        self,
        store: LabelStore,
        work: WorkList,
        teachers: Mapping[str, Teacher],
        unreadable: Unreadable,
        readers: int = 0,
    ) -> None:
        self._store = store
        self._work = work
        self.teachers = teachers
        self._unreadable = unreadable
        prepares = any(isinstance(each, PreparedTeacher) for each in teachers.values())
        self._readers = readers if prepares else 0
        self.part_size = work.part_size
        self.num_images = len(work)
        self._times = TeacherTimes(teachers)

    def unfinished(self) -> Sequence[int]:
        """See :class:`mmcompose.composition.jobs.Work`."""
        return self._work.unfinished()

    def leases(self) -> Leases:
        """See :class:`mmcompose.composition.jobs.Work`."""
        return self._store.leases(self._work.folder)

    def detail(self) -> str:
        """Return how fast this process is, and the share of each teacher."""
        return str(self._times)

    def make(self, parts: Iterator[int], tick: Tick) -> Iterator[int]:
        """Let each teacher predict on its images of parts; each image is decoded once.

        Raises:
            UserError: If a teacher raises it, or too many pictures cannot be read.
        """
        begun: deque[_Part] = deque()

        def windows() -> Iterator[Window]:
            for number in parts:
                part = _Part(number, self._work, self.teachers, self._unreadable, self._times)
                begun.append(part)
                yield from in_windows(part.wanted)

        reading = Reading(self.teachers, self._times, keeps_pixels=self._readers > 0)
        if self._readers:
            pin = torch.cuda.is_available()
            reads = reading.in_readers(windows(), self._readers, pin)
        else:
            reads = reading.here(windows())
        for window, found in reads:
            begun[0].add(window, found, tick)
            while begun and begun[0].is_whole:
                yield begun.popleft().write()
        # Others have seen to the images of those that hold none.
        while begun:
            yield begun.popleft().write()


class _Part:
    """What teachers predict on the images of a part, as far as these were read."""

    def __init__(
        self,
        number: int,
        work: WorkList,
        teachers: Mapping[str, Teacher],
        unreadable: Unreadable,
        times: TeacherTimes,
    ) -> None:
        self._number = number
        self._times = times
        self._work = work
        self._teachers = teachers
        self._unreadable = unreadable
        self._images, masks = work.images_of(number)
        self._of: dict[str, list[int]] = {
            name: [row for row, is_wanted in enumerate(mask) if is_wanted]
            for name, mask in masks.items()
        }
        self._found: dict[str, dict[int, Detections]] = {name: {} for name in masks}
        self._reasons: dict[str, dict[int, str]] = {name: {} for name in masks}
        self._batches = {
            name: Batches(teacher)
            for name in masks
            if isinstance(teacher := teachers[name], PreparedTeacher)
        }
        self._chunk: list[Wanted] = []
        self._num_read = 0

    @property
    def wanted(self) -> Iterator[Wanted]:
        """Its images, and who is to see each."""
        names: list[list[str]] = [[] for _ in self._images]
        for name, rows in self._of.items():
            for row in rows:
                names[row].append(name)
        for image, own in zip(self._images, names, strict=True):
            yield Wanted(image, tuple(own))

    @property
    def is_whole(self) -> bool:
        """Whether all its images were read."""
        return self._num_read == len(self._images)

    def add(self, window: Window, reads: Sequence[Read], tick: Tick) -> None:
        """Let teachers predict on the next images, or on them and others later.

        Raises:
            UserError: See :meth:`Predicting.make`.
        """
        first = self._num_read
        for row, (wanted, read) in enumerate(zip(window, reads, strict=True), first):
            if read.mistake is not None:
                raise read.mistake
            if len(self._batches) == len(self._of):
                # Nobody looks at pixels any more.
                wanted.image.forget_pixels()
            if read.reason is not None:
                for name in self._batches.keys() & set(wanted.teachers):
                    self._leave_out(name, row, wanted.image, read.reason)
        for name, batches in self._batches.items():
            with self._times.of(name), key_prefix(f'composition.teachers.{name}'):
                for row, (wanted, read) in enumerate(zip(window, reads, strict=True), first):
                    if name in read.prepared:
                        found = batches.add(row, wanted.image, read.prepared[name])
                        self._found[name].update(found)
        for wanted in window:
            self._num_read += 1
            self._chunk.append(wanted)
            pixels = sum(each.image.width * each.image.height for each in self._chunk)
            if len(self._chunk) == CHUNK_SIZE or pixels >= CHUNK_PIXELS or self.is_whole:
                self._show(self._chunk, self._num_read - len(self._chunk))
                self._times.images += len(self._chunk)
                tick(len(self._chunk))
                self._chunk = []

    def _show(self, chunk: Sequence[Wanted], start: int) -> None:
        """Let teachers that look at pixels themselves predict, and free these."""
        for name in self._of:
            if name not in self._batches:
                rows = {
                    start + number: wanted.image
                    for number, wanted in enumerate(chunk)
                    if name in wanted.teachers
                }
                self._predict(name, rows)
        for wanted in chunk:
            wanted.image.forget_pixels()

    def _predict(self, name: str, images: Mapping[int, Image]) -> None:
        """Let a teacher predict on images, by row; some of these may be unreadable."""
        try:
            # Where its header could not be read either, no teacher can place boxes in it.
            if all(image.width and image.height for image in images.values()):
                self._ask(name, images)
                return
            reasons = {row: why_unreadable(image) for row, image in images.items()}
        except UserError:
            # A teacher that does not look at pixels has nothing against such pictures.
            reasons = {row: why_unreadable(image) for row, image in images.items()}
            if not any(reasons.values()):
                raise
        for row, reason in reasons.items():
            if reason is not None:
                self._leave_out(name, row, images[row], reason)
        self._ask(name, {row: images[row] for row, reason in reasons.items() if reason is None})

    def _ask(self, name: str, images: Mapping[int, Image]) -> None:
        if images:
            with self._times.of(name):
                found = ask(name, self._teachers[name], list(images.values()))
            self._found[name].update(zip(images, found, strict=True))

    def _leave_out(self, name: str, row: int, image: Image, reason: str) -> None:
        self._unreadable.add(image.key, reason)
        self._found[name][row] = Detections()
        self._reasons[name][row] = reason

    def write(self) -> int:
        """Let teachers predict on what still waits, write all, and return the part's number."""
        for name, batches in self._batches.items():
            with self._times.of(name), key_prefix(f'composition.teachers.{name}'):
                self._found[name].update(batches.rest())
        for name, rows in self._of.items():
            found, reasons = self._found[name], self._reasons[name]
            self._work.write(
                name,
                self._number,
                [self._images[row] for row in rows],
                [found[row] for row in rows],
                [reasons.get(row) for row in rows],
            )
        return self._number


def ask(name: str, teacher: Teacher, images: Sequence[Image]) -> list[Detections]:
    """Let a teacher predict; its mistakes name it."""
    with key_prefix(f'composition.teachers.{name}'):
        return teacher.predict(images)
