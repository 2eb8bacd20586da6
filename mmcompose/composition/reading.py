"""Reading: pictures decoded and prepared for their teachers, here or by readers ahead of a GPU."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from mmcompose.composition.packing import packed, unpacked
from mmcompose.composition.teacher_times import TeacherTimes
from mmcompose.composition.unreadable import why_unreadable
from mmcompose.structures import Image
from mmcompose.teachers import PreparedTeacher, Teacher
from mmcompose.utils import UserError, key_prefix

# Windows that each reader has ready or at work.
_AHEAD = 3
# What a reader hands over at once: so many pictures, or so many pixels of large ones.
_WINDOW_IMAGES, _WINDOW_PIXELS = 16, 16_000_000


@dataclass(frozen=True)
class Wanted:
    """A picture that some teachers have yet to see.

    Args:
        image: The picture.
        teachers: Their names.
    """

    image: Image
    teachers: tuple[str, ...]


# Pictures that are read one after another, and handed over together.
Window: TypeAlias = Sequence[Wanted]


def in_windows(wanted: Iterable[Wanted]) -> Iterator[Window]:
    """Yield pictures in windows, in their order."""
    window: list[Wanted] = []
    pixels = 0
    for each in wanted:
        window.append(each)
        pixels += each.image.width * each.image.height
        if len(window) == _WINDOW_IMAGES or pixels >= _WINDOW_PIXELS:
            yield window
            window, pixels = [], 0
    if window:
        yield window


@dataclass(frozen=True)
class Read:
    """A picture that was read.

    Args:
        prepared: What teachers that prepare pictures take of it, by their names.
        reason: Why it cannot be read, None where it can or nobody has looked.
        mistake: What a teacher raised, None where it did not.
    """

    prepared: Mapping[str, Any]
    reason: str | None = None
    mistake: UserError | None = None


# Windows, and what was read of each.
Reads: TypeAlias = Iterator[tuple[Window, Sequence[Read]]]


class Reading:
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
        self.keeps_pixels = keeps_pixels and len(self._teachers) < len(teachers)

    def load(self) -> None:
        """Load what preparing needs, once for all readers."""
        for name, teacher in self._teachers.items():
            with key_prefix(f'composition.teachers.{name}'):
                teacher.load()

    def here(self, windows: Iterable[Window]) -> Reads:
        """Read pictures in this process, as they are taken."""
        for window in windows:
            yield window, [self.read(wanted) for wanted in window]

    def read(self, wanted: Wanted) -> Read:
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
                            return Read({}, reason)
                    prepared[name] = teacher.prepare(wanted.image)
        except UserError as error:
            return Read({}, mistake=error)
        return Read(prepared)

    def in_readers(self, windows: Iterable[Window], readers: int, pin: bool) -> Reads:
        """Read pictures in processes of their own, ahead of whoever takes them, in order.

        Args:
            windows: Looked at no farther than readers are ahead.
            readers: How many processes.
            pin: Whether tensors are put where a GPU copies them from quickly.
        """
        self.load()
        begun: deque[Window] = deque()

        def sent() -> Iterator[Window]:
            for window in windows:
                begun.append(window)
                yield window

        loader = DataLoader(
            _Travelling(self),
            batch_size=None,
            sampler=sent(),
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
        # Nor does any process look through what is loaded already: it would copy those pages.
        gc.freeze()
        try:
            for pickled, block in loader:
                reads, decoded = unpacked(pickled, block)
                window = begun.popleft()
                for wanted, pixels in zip(window, decoded, strict=True):
                    if pixels is not None:
                        vars(wanted.image)['pixels'] = pixels
                yield window, reads
        finally:
            gc.unfreeze()
            cv2.setNumThreads(threads)


class _Travelling(Dataset[Any]):
    """What is read of windows, packed, with the pixels that are looked at after."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def __getitem__(self, window: Window) -> tuple[bytes, torch.Tensor]:
        reads: list[Read] = []
        decoded: list[NDArray[Any] | None] = []
        for wanted in window:
            read = self._reading.read(wanted)
            keeps = self._reading.keeps_pixels and read.reason is None and read.mistake is None
            # No teacher that prepares it may want it. Whoever asks for its pixels says why not.
            keeps = keeps and why_unreadable(wanted.image) is None
            decoded.append(wanted.image.pixels if keeps else None)
            reads.append(read)
            wanted.image.forget_pixels()
        return packed((reads, decoded))


def _as_it_is(read: Any) -> Any:
    return read
