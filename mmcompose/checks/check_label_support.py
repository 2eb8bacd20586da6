"""Warn at start-up where a student does not take what is known of its labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmdet.registry import MODELS

from mmcompose.labeling import LabelPipeline
from mmcompose.models.weighted_targets import unreached_heads
from mmcompose.registry import type_name
from mmcompose.utils import warn
from mmcompose.utils.config_tree import last_name, walk

_READ_IGNORE_BOXES = ('MaxIoUAssigner', 'ATSSAssigner', 'ApproxMaxIoUAssigner')


def check_label_support(model: Mapping[str, Any], pipeline: LabelPipeline) -> list[str]:
    """Warn where boxes of the ignore band, or weights of boxes, do not reach the student's loss.

    Args:
        model: The student's config.
        pipeline: The label pipeline.

    Returns:
        The warnings, one for each head and each thing that it does not take.
    """
    ignores = any(step.ignores for step in pipeline.steps)
    weighs = any(step.weighs for step in pipeline.steps)
    if not ignores and not weighs:
        return []
    warnings = []
    reads = _reads_ignore_boxes(model.get('train_cfg'))
    for line in unreached_heads(model, MODELS):
        if ignores and not reads:
            warnings.append(
                f'{line}: boxes of the ignore band count as background; set ScoreBands.ignore '
                'to its keep to see the same plainly'
            )
        if weighs:
            warnings.append(f'{line}: weights of boxes have no effect')
    for warning in warnings:
        warn(warning)
    return warnings


def _reads_ignore_boxes(train_cfg: Any) -> bool:
    """Return whether MMDet's own assigners leave out what lies in ignore boxes."""
    found = walk(train_cfg, 'train_cfg')
    assigners = [each for key, each in found if last_name(key).endswith('assigner')]
    return bool(assigners) and all(
        type_name(each) in _READ_IGNORE_BOXES and each.get('ignore_iof_thr', -1) > 0
        for each in assigners
    )
