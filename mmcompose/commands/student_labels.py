"""The labels that a student learned from, as its checkpoint names them."""

from __future__ import annotations

from mmengine.config import Config

from mmcompose.composition import PoolLabels
from mmcompose.engine.hooks.label_summary import META_KEY
from mmcompose.registry import type_name
from mmcompose.store import DetectionTable, LabelStore
from mmcompose.teachers.checkpoint import read_checkpoint

_REFRESH = 'PseudoLabelRefreshHook'


def student_labels(
    checkpoint: str, config: Config, made: PoolLabels, store: LabelStore
) -> tuple[DetectionTable | None, str]:
    """Return the labels that a student learned from, if a config made them.

    Those of a round of ``PseudoLabelRefreshHook`` are made of the config's, too.

    Args:
        checkpoint: Path of the student's.
        config: The config.
        made: The labels that the config makes.
        store: Where labels are kept.

    Returns:
        The labels, and ''; or None, and why they are not known, or not the config's.
    """
    learned_from = (read_checkpoint(checkpoint, trust=None).get('meta') or {}).get(META_KEY)
    if not learned_from:
        return None, 'names no pseudo-labels that it learned from'
    learned = ', '.join(dict.fromkeys(each['learned'] for each in learned_from))
    if any(each['made'] != made.fingerprint for each in learned_from):
        return None, f'learned from labels {learned}, but this config makes {made.fingerprint}'
    if learned == made.fingerprint:
        return made.table, ''
    why = f'learned from labels {learned} of a later round, '
    if not any(type_name(hook) == _REFRESH for hook in config.get('custom_hooks') or ()):
        return None, f'{why}but this config has no {_REFRESH}'
    table = store.find_labels(learned)
    return table, '' if table is not None else f'{why}which the store does not hold'
