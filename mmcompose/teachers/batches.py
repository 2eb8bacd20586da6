"""Which pictures share a batch, prepared ahead or not; a teacher's ``batch_size`` is the most."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.structures import Detections, Image
from mmcompose.teachers.base import Teacher
from mmcompose.utils import UserError, examples, fault, first_line


class PreparedTeacher(Teacher):
    """A teacher that takes pictures apart from their pixels: prepared by itself, in batches.

    Whatever prepares pictures (this process, or readers beside a GPU), the same batches are made:
    those of pictures whose prepared inputs have one shape, in the pictures' order.
    """

    @property
    @abstractmethod
    def batch_size(self) -> int:
        """How many pictures share a batch at the most."""

    def reduction(self, image: Image) -> int:
        """Return by how much :meth:`prepare` has a picture reduced; see :meth:`Image.reduced`."""
        return 1

    @abstractmethod
    def prepare(self, image: Image) -> Any:
        """Return what the model takes of a picture; no model is run.

        It is called in processes that were forked once :meth:`load` has returned.
        """

    @abstractmethod
    def shape_of(self, prepared: Any) -> Hashable:
        """Return the shape of a prepared picture; only equal ones share a batch."""

    @abstractmethod
    def predict_prepared(
        self, images: Sequence[Image], prepared: Sequence[Any]
    ) -> list[Detections]:
        """Detect objects in a batch.

        Args:
            images: Whose pixels are not looked at.
            prepared: What :meth:`prepare` returned of each.

        Returns:
            As :meth:`Teacher.predict`.
        """

    def load(self) -> None:
        """Load what :meth:`prepare` needs."""

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        """See :meth:`Teacher.predict`."""
        batches = Batches(self)
        found: dict[int, Detections] = {}
        for number, image in enumerate(images):
            found.update(batches.add(number, image, self.prepare(image)))
        found.update(batches.rest())
        return [found[number] for number in range(len(images))]

    # What it returns was checked batch by batch.
    predict.is_checked = True  # type: ignore[attr-defined]


class Batches:
    """Prepared pictures that wait until there are enough of one shape.

    Args:
        teacher: Predicts on them.
    """

    def __init__(self, teacher: PreparedTeacher) -> None:
        self._teacher = teacher
        self._waiting: dict[Hashable, list[tuple[int, Image, Any]]] = {}

    def add(self, number: int, image: Image, prepared: Any) -> Iterator[tuple[int, Detections]]:
        """Add a picture, and yield the results of its batch where that is full, by number."""
        shape = self._teacher.shape_of(prepared)
        batch = self._waiting.setdefault(shape, [])
        batch.append((number, image, prepared))
        if len(batch) < self._teacher.batch_size:
            return iter(())
        return self._predict(self._waiting.pop(shape))

    def rest(self) -> Iterator[tuple[int, Detections]]:
        """Yield the results of all that still wait, by number."""
        while self._waiting:
            yield from self._predict(self._waiting.pop(next(iter(self._waiting))))

    def _predict(self, batch: list[tuple[int, Image, Any]]) -> Iterator[tuple[int, Detections]]:
        numbers, images, prepared = zip(*batch, strict=True)
        return zip(numbers, self._teacher.predict_prepared(images, prepared), strict=True)


def unprepared(images: Sequence[Image], error: Exception) -> UserError:
    """Return that pictures cannot be prepared, by their paths and sizes.

    One that is a line of pixels has no side left where it is resized.

    Args:
        images: One of which is to blame.
        error: What a library raised.
    """
    named = examples([f'{image.path} ({image.width}x{image.height})' for image in images])
    expected = f'{named}: cannot be prepared for the model, take it out of the pool: '
    return UserError(fault('', expected + first_line(error)))


def whole_batches(batch: NDArray[Any], size: int | str | None) -> Iterator[NDArray[Any]]:
    """Yield batches of the size that a model takes, the last filled up with its last row.

    Args:
        batch: ``(N, …)``.
        size: Any where it is no number.
    """
    if not isinstance(size, int):
        yield batch
        return
    filled = np.concatenate([batch, np.repeat(batch[-1:], -len(batch) % size, axis=0)])
    for start in range(0, len(filled), size):
        yield filled[start : start + size]


def in_batches(images: Sequence[Image], size: int) -> Iterator[Sequence[Image]]:
    """Yield images in batches, in their order."""
    for start in range(0, len(images), size):
        yield images[start : start + size]
