"""Reading: pictures decoded and prepared for their teachers, here or by readers ahead of a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data._utils.pin_memory import pin_memory

from mmcompose.composition.teacher_times import TeacherTimes
from mmcompose.composition.unreadable import why_unreadable
from mmcompose.structures import Image
from mmcompose.teachers import PreparedTeacher, Teacher
from mmcompose.utils import UserError, key_prefix

# Pictures that each reader has ready or at work.
_AHEAD = 4


@dataclass(frozen=True)
class Wanted:
    """A picture that some teachers have yet to see.

    Args:
        image: The picture.
        teachers: Their names.
    """

    image: Image
    teachers: tuple[str, ...]


@dataclass(frozen=True)
class Read:
    """A picture that was read.

    Args:
        wanted: What it was read for.
        prepared: What teachers that prepare pictures take of it, by their names.
        reason: Why it cannot be read, None where it can or nobody has looked.
        mistake: What a teacher raised, None where it did not.
    """

    wanted: Wanted
    prepared: Mapping[str, Any]
    reason: str | None = None
    mistake: UserError | None = None

    def pin_memory(self) -> Read:
        """Return the same with its tensors in memory that a GPU copies from quickly."""
        return replace(self, prepared=pin_memory(dict(self.prepared)))


class Reading(Dataset[Read]):
    """Decodes a picture once, and lets teachers prepare it.

    Args:
        teachers: By name; those that prepare no pictures are passed over.
        times: What each teacher takes is added to it, where this process reads.
        keeps_pixels: Whether pixels travel along, for teachers that look at them themselves.
    """

    def __init__(
        self, teachers: Mapping[str, Teacher], times: TeacherTimes, keeps_pixels: bool = False
    ) -> None:
        self._times = times
        self._teachers = {n: t for n, t in teachers.items() if isinstance(t, PreparedTeacher)}
        self._keeps_pixels = keeps_pixels and len(self._teachers) < len(teachers)

    def load(self) -> None:
        """Load what preparing needs, once for all readers."""
        for name, teacher in self._teachers.items():
            with key_prefix(f'composition.teachers.{name}'):
                teacher.load()

    def __getitem__(self, wanted: Wanted) -> Read:
        """Read a picture; what goes wrong is returned, not raised, for it may have to travel."""
        names = [name for name in wanted.teachers if name in self._teachers]
        prepared: dict[str, Any] = {}
        try:
            for name in names:
                # The first decodes the picture for the others.
                with self._times.of(name), key_prefix(f'composition.teachers.{name}'):
                    teacher = self._teachers[name]
                    if not prepared:
                        reduction = teacher.reduction(wanted.image)
                        if (reason := why_unreadable(wanted.image, reduction)) is not None:
                            return Read(wanted, {}, reason)
                    prepared[name] = teacher.prepare(wanted.image)
        except UserError as error:
            return Read(wanted, {}, mistake=error)
        return Read(wanted, prepared)

    def in_readers(self, wanted: Iterable[Wanted], readers: int, pin: bool) -> Iterator[Read]:
        """Read pictures in processes of their own, ahead of whoever takes them, in order.

        Args:
            wanted: Looked at no farther than readers are ahead.
            readers: How many processes.
            pin: Whether tensors are put where a GPU copies them from quickly.
        """
        self.load()
        loader = DataLoader(
            _Travelling(self),
            batch_size=None,
            sampler=wanted,
            num_workers=readers,
            prefetch_factor=_AHEAD,
            collate_fn=_as_it_is,
            # What was loaded is there at once, and no model is read again.
            multiprocessing_context='fork',
            pin_memory=pin,
        )
        threads = cv2.getNumThreads()
        # Before readers are forked: OpenCV's own threads are not, and a reader would wait for them.
        cv2.setNumThreads(0)
        try:
            for read, pixels in loader:
                if pixels is not None:
                    vars(read.wanted.image)['pixels'] = pixels.numpy()
                yield read
        finally:
            cv2.setNumThreads(threads)


class _Travelling(Dataset[Any]):
    """The same with pixels as a tensor, which travels in shared memory."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def __getitem__(self, wanted: Wanted) -> tuple[Read, torch.Tensor | None]:
        read = self._reading[wanted]
        pixels = None
        if self._reading._keeps_pixels and read.reason is None and read.mistake is None:
            pixels = torch.from_numpy(wanted.image.pixels)
        wanted.image.forget_pixels()
        return read, pixels


def _as_it_is(read: Any) -> Any:
    return read
