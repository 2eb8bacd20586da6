"""PoolWork: what a label pipeline does with a pool, one part after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from mmcompose.composition.jobs import Tick
from mmcompose.composition.step_images import StepImages
from mmcompose.labeling import LabelPipeline
from mmcompose.store import LabelResult, LabelStore, LearnedResult, Leases


class PoolWork(ABC):
    """Work of a label pipeline on a pool, as one process sees it.

    With a method ``unfinished`` this is a :class:`mmcompose.composition.jobs.Work`.

    Args:
        store: The label store.
        result: Where what is made goes.
        pipeline: The label pipeline.
        images: The pool's images, as they are before a step.
    """

    asks_teachers = False

    def __init__(
        self,
        store: LabelStore,
        result: LabelResult | LearnedResult,
        pipeline: LabelPipeline,
        images: StepImages,
    ) -> None:
        self._store = store
        self._folder = result.folder
        self._pipeline = pipeline
        self._images = images
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
