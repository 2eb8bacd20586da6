"""Warnings of other packages by which a user of the command has nothing to do."""

from __future__ import annotations

import warnings

_MESSAGES = (
    'pkg_resources is deprecated',
    r'`torch\.cuda\.amp\.autocast',
    r'torch\.meshgrid',
    'DeprecationWarning: `num_anchors` is deprecated',
)


def mute_known_warnings() -> None:
    """Leave out what MMEngine and MMDetection do in old ways, in this process from now on."""
    for message in _MESSAGES:
        warnings.filterwarnings('ignore', message)
