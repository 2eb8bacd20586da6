"""Errors, files, hashing and logging; stands above every other room."""

from mmcompose.utils.errors import (
    Mistakes,
    UserError,
    check_keys,
    nearest,
    no_file,
    no_folder,
    problem,
    under,
)
from mmcompose.utils.files import check_writable, without_nan, write_json, written_whole
from mmcompose.utils.hashing import file_fingerprint, fingerprint, lines_fingerprint, plain
from mmcompose.utils.logging import log, progress, warn
from mmcompose.utils.types import check_types

__all__ = [
    'Mistakes',
    'UserError',
    'check_keys',
    'check_types',
    'check_writable',
    'file_fingerprint',
    'fingerprint',
    'lines_fingerprint',
    'log',
    'nearest',
    'no_file',
    'no_folder',
    'plain',
    'problem',
    'progress',
    'under',
    'warn',
    'without_nan',
    'write_json',
    'written_whole',
]
