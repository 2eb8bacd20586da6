"""Warnings of other packages about which a user of the command can do nothing."""

from __future__ import annotations

import warnings

_MESSAGES = (
    'pkg_resources is deprecated',
    r'`torch\.cuda\.amp\.autocast',
    r'torch\.meshgrid',
    'DeprecationWarning: `num_anchors` is deprecated',
)


def mute_known_warnings() -> None:
    """Mute deprecation warnings of MMEngine's and MMDetection's own code in this process."""
    for message in _MESSAGES:
        warnings.filterwarnings('ignore', message)
