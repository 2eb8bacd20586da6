"""Errors, hashing and logging; stands above every other room."""

from mmcompose.utils.errors import (
    Mistakes,
    UserError,
    check_keys,
    nearest,
    no_file,
    problem,
    under,
)
from mmcompose.utils.hashing import file_fingerprint, fingerprint, lines_fingerprint, plain
from mmcompose.utils.logging import log, progress, warn

__all__ = [
    'Mistakes',
    'UserError',
    'check_keys',
    'file_fingerprint',
    'fingerprint',
    'lines_fingerprint',
    'log',
    'nearest',
    'no_file',
    'plain',
    'problem',
    'progress',
    'under',
    'warn',
]
