"""The parts of a Runner's config that have more than one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def metrics_by_key(key: str, evaluator: Any) -> dict[str, Any]:
    """Return the metrics of an evaluator as a config gives it: one, several, or an Evaluator's.

    Args:
        key: Where it stands in the config.
        evaluator: Its config.

    Returns:
        Each metric's config by where it stands.
    """
    if isinstance(evaluator, (list, tuple)):
        return {f'{key}[{number}]': metric for number, metric in enumerate(evaluator)}
    if isinstance(evaluator, Mapping) and evaluator.get('metrics') is not None:
        return metrics_by_key(f'{key}.metrics', evaluator['metrics'])
    return {key: evaluator}
