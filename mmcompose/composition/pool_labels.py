"""PoolLabels: the labels of a pool, and what the label pipeline learned from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmcompose.composition.jobs import Tick
from mmcompose.composition.pool_work import PoolWork
from mmcompose.composition.step_images import StepImages
from mmcompose.labeling import LabelPipeline
from mmcompose.store import DetectionTable, LabelResult, LabelStore
from mmcompose.structures import Detections

_TICK_IMAGES = 64


@dataclass(frozen=True)
class PoolLabels(Sequence[Detections]):
    """The pseudo-labels of a pool.

    Args:
        table: In the student's classes, a row an image.
        learned: What each step of the label pipeline learned from the pool, as plain values.
        fingerprint: What addresses them in the store.
    """

    table: DetectionTable
    learned: Sequence[Mapping[str, Any]]
    fingerprint: str

    @property
    def keys(self) -> list[str]:
        """The images' keys, in order."""
        return self.table.keys

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: Any) -> Any:
        """Return the labels of the image at ``row``, or of a slice of rows those of each."""
        return self.table[row]

    def readable(self) -> list[int]:
        """Return the rows of the images that could be read."""
        return self.table.readable()

    def unasked(self, row: int) -> tuple[int, ...]:
        """Return the numbers of the teachers that did not predict on the image at ``row``."""
        return self.table.unasked(row)


class Labeling(PoolWork):
    """The work of a label pipeline on a pool, as one process sees it.

    Args:
        store: Where predictions are, and labels go.
        result: The labels.
        pipeline: It has learned what its steps learn.
        images: The pool's images, as they are before a step.
    """

    def __init__(
        self,
        store: LabelStore,
        result: LabelResult,
        pipeline: LabelPipeline,
        images: StepImages,
    ) -> None:
        super().__init__(store, result, pipeline, images)
        self._result = result

    def unfinished(self) -> Sequence[int]:
        """See :class:`mmcompose.composition.jobs.Work`."""
        return self._result.unfinished()

    def _make(self, part: int, tick: Tick) -> None:
        """Label the images of a part."""
        rows = self._result.rows_of(part)
        begin, images = self._images.nearest(part, rows, len(self._pipeline.steps))
        labels, unasked = [], []
        for done, each in enumerate(images, start=1):
            labels.append(Detections() if each is None else self._pipeline.apply(*each, begin))
            unasked.append(() if each is None else each[1].unasked)
            if done % _TICK_IMAGES == 0:
                tick(_TICK_IMAGES)
        unreadable = [self._images.unreadable.get(row) for row in rows]
        self._result.write(part, labels, unreadable, unasked)
