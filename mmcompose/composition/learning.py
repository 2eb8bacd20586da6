"""What the label pipeline learns from a pool: by one process, and read by all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmcompose.composition.process_state import preserve_process_state
from mmcompose.store import LabelResult, LabelStore, LearnedResult

_POLL_SECONDS = 0.2


def learned_from(
    store: LabelStore, result: LabelResult, fit: Callable[[], Sequence[Mapping[str, Any]]]
) -> Sequence[Mapping[str, Any]]:
    """Return what was learned from a pool; this process learns it unless another does.

    Args:
        store: The label store.
        result: Where the pool's labels go.
        fit: Learns it.
    """
    with store.leases(result.folder) as leases:
        while (learned := result.read_learned()) is None:
            if not leases.claim('fit'):
                time.sleep(_POLL_SECONDS)
                continue
            # It may have been learned since.
            if result.read_learned() is None:
                with preserve_process_state():
                    result.write_learned(fit())
            leases.release('fit')
    found: Sequence[Mapping[str, Any]] = learned
    return found


class StoredSteps:
    """Keeps in the store what each step learned: a changed step repeats only those behind it.

    Args:
        result: Where it is kept what a step learned, by the step's number.
    """

    def __init__(self, result: Callable[[int], LearnedResult]) -> None:
        self._result = result

    def read(self, number: int) -> Mapping[str, Any] | None:
        """Return what a step learned before, None where it is not known."""
        return self._result(number).read()

    def write(self, number: int, learned: Mapping[str, Any]) -> None:
        """Keep what a step learned."""
        self._result(number).write(learned)
