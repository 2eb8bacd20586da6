"""PoolWork: what a label pipeline does with a pool, one part after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeAlias

from mmcompose.composition.jobs import Tick
from mmcompose.labeling import LabelInput, LabelPipeline
from mmcompose.store import LabelResult, LabelStore, LearnedResult, Leases

# Returns what teachers predict in an image, by its row, and the image's context.
TeacherDetections: TypeAlias = Callable[[int], LabelInput]


class PoolWork(ABC):
    """Work of a label pipeline on a pool, as one process sees it.

    With a method ``unfinished`` this is a :class:`mmcompose.composition.jobs.Work`.

    Args:
        store: The label store.
        result: Where what is made goes.
        pipeline: The label pipeline.
        teacher_detections: Returns what teachers predict in an image, by its row, and its context.
    """

    def __init__(
        self,
        store: LabelStore,
        result: LabelResult | LearnedResult,
        pipeline: LabelPipeline,
        teacher_detections: TeacherDetections,
    ) -> None:
        self._store = store
        self._folder = result.folder
        self._pipeline = pipeline
        self._teacher_detections = teacher_detections
        self.part_size = result.part_size
        self.num_images = len(result.images)

    def leases(self) -> Leases:
        """Return claims on the parts."""
        return self._store.leases(self._folder)

    def detail(self) -> str:
        """Return nothing: a pipeline's work is quick."""
        return ''

    def make(self, parts: Iterator[int], tick: Tick) -> Iterator[int]:
        """Make parts, and yield each that is there."""
        for part in parts:
            self._make(part, tick)
            yield part

    @abstractmethod
    def _make(self, part: int, tick: Tick) -> None:
        """Make a part."""
