"""Errors, hashing and logging; stands above every other room."""

from mmcompose.utils.errors import UserError, check_keys, nearest, problem, under
from mmcompose.utils.hashing import file_fingerprint, fingerprint, lines_fingerprint, plain
from mmcompose.utils.logging import log, progress, warn

__all__ = [
    'UserError',
    'check_keys',
    'file_fingerprint',
    'fingerprint',
    'lines_fingerprint',
    'log',
    'nearest',
    'plain',
    'problem',
    'progress',
    'under',
    'warn',
]
