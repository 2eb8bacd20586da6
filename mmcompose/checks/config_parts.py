"""The parts of a Runner's config that have more than one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def metrics_of(evaluator: Any) -> list[Any]:
    """Return the metrics of an evaluator as a config gives it: one, several, or an Evaluator's."""
    if isinstance(evaluator, (list, tuple)):
        return list(evaluator)
    if isinstance(evaluator, Mapping) and evaluator.get('metrics') is not None:
        return metrics_of(evaluator['metrics'])
    return [evaluator]
