"""What the label pipeline learns from a pool: collected by all, learned by one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmcompose.composition.jobs import Tick
from mmcompose.composition.pool_work import PoolWork
from mmcompose.composition.process_state import preserve_process_state
from mmcompose.composition.step_images import StepImages
from mmcompose.labeling import LabelPipeline
from mmcompose.store import LabelStore, LearnedResult

_POLL_SECONDS = 0.2


def learned_from(
    store: LabelStore,
    result: LearnedResult,
    learn: Callable[[], Mapping[str, Any]],
    check: Callable[[], None],
) -> Mapping[str, Any]:
    """Return what a step learned from a pool; this process learns it unless another does.

    Args:
        store: The label store.
        result: Where it goes.
        learn: Learns it.
        check: Called while another process learns it; may raise what ends the wait.
    """
    with store.leases(result.folder) as leases:
        while (learned := result.read_learned()) is None:
            if not leases.claim('learn'):
                check()
                time.sleep(_POLL_SECONDS)
                continue
            # It may have been learned since.
            if result.read_learned() is None:
                with preserve_process_state():
                    result.write_learned(learn())
            leases.release('learn')
    return learned


class Collecting(PoolWork):
    """What a step of the label pipeline collects of the parts of a pool, for one process.

    Args:
        store: The label store.
        result: Where it goes, and what is learned from it.
        pipeline: The label pipeline; the steps before have learned, and this one in the rounds
            before.
        number: Of the step.
        turn: The round, from 0.
        images: The pool's images, as they are before a step.
    """

    def __init__(
        self,
        store: LabelStore,
        result: LearnedResult,
        pipeline: LabelPipeline,
        number: int,
        turn: int,
        images: StepImages,
    ) -> None:
        super().__init__(store, result, pipeline, images)
        self._result = result
        self._number = number
        self._turn = turn

    def unfinished(self) -> Sequence[int]:
        """See :class:`mmcompose.composition.jobs.Work`."""
        return self._result.unfinished(self._turn)

    def _make(self, part: int, tick: Tick) -> None:
        """Collect of the images of a part."""
        rows = self._result.rows_of(part)
        images = self._images.before(part, rows, self._number)
        state = self._pipeline.collect(self._number, lambda: images, begin=self._number)
        self._result.write_state(self._turn, part, state)
        tick(len(rows))
