"""Say at start-up where a student's target assignment does not read ignore boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmcompose.engine.class_counts import type_name
from mmcompose.labeling import LabelPipeline
from mmcompose.utils import warn


def check_ignore_support(model: Mapping[str, Any], pipeline: LabelPipeline) -> list[str]:
    """Warn where boxes of the ignore band would count as background.

    Args:
        model: The student's config.
        pipeline: The label pipeline.

    Returns:
        The warnings, one for each assigner that does not read ignore boxes.
    """
    if not any(step.ignores for step in pipeline.steps):
        return []
    assigners = list(_assigners(model.get('train_cfg') or {}, 'model.train_cfg'))
    warnings = []
    if not assigners:
        warnings.append(
            f'model: {model["type"]} has no assigner that reads ignore boxes: boxes of the ignore '
            'band count as background; set ScoreBands.ignore to its keep to see the same plainly'
        )
    for key, assigner in assigners:
        kind = type_name(assigner)
        threshold = assigner.get('ignore_iof_thr', -1)
        if kind in ('MaxIoUAssigner', 'ATSSAssigner', 'ApproxMaxIoUAssigner'):
            if threshold <= 0:
                warnings.append(
                    f'{key}.ignore_iof_thr: {threshold!r} leaves ignore boxes unread: boxes of the '
                    'ignore band count as background; set 0.5'
                )
        else:
            warnings.append(
                f'{key}.type: {kind} does not read ignore boxes: boxes of the ignore band count '
                'as background; set ScoreBands.ignore to its keep to see the same plainly'
            )
    for warning in warnings:
        warn(warning)
    return warnings


def _assigners(config: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(config, Mapping):
        for name, value in config.items():
            # Proposals are assigned class-agnostically but read ignore boxes all the same.
            if name.endswith('assigner') and isinstance(value, Mapping):
                yield f'{key}.{name}', value
            else:
                yield from _assigners(value, f'{key}.{name}')
    elif isinstance(config, (list, tuple)):
        for number, value in enumerate(config):
            yield from _assigners(value, f'{key}[{number}]')
