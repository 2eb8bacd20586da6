"""Errors, files, hashing and logging; stands above every other room."""

from mmcompose.utils.constructors import (
    check_arguments,
    check_values,
    constructor_parameters,
    constructor_types,
)
from mmcompose.utils.content import content_of
from mmcompose.utils.doubts import (
    CHECKS,
    allowing,
    check_names,
    doubt,
    is_allowed,
    without_allowed,
)
from mmcompose.utils.errors import Mistakes, UserError, at_root, key_prefix
from mmcompose.utils.files import (
    OWN_FOLDER,
    atomic_write,
    check_own_folder,
    check_writable,
    mark_own_folder,
    without_nan,
    write_json,
)
from mmcompose.utils.hashing import file_fingerprint, fingerprint, lines_fingerprint, plain
from mmcompose.utils.logging import log, logging_from, printable, warn
from mmcompose.utils.packages import optional_package
from mmcompose.utils.problem import (
    NO_VALUE,
    Problem,
    check_keys,
    fault,
    nearest,
    no_file,
    no_folder,
    problem,
)
from mmcompose.utils.progress_bar import counted, progress
from mmcompose.utils.selection import Selection
from mmcompose.utils.types import Count, Fraction, Name, Positive, Range, check_types
from mmcompose.utils.wording import examples, first_difference, first_line

__all__ = [
    'CHECKS',
    'NO_VALUE',
    'OWN_FOLDER',
    'Count',
    'Fraction',
    'Mistakes',
    'Name',
    'Positive',
    'Problem',
    'Range',
    'Selection',
    'UserError',
    'allowing',
    'at_root',
    'atomic_write',
    'check_arguments',
    'check_keys',
    'check_names',
    'check_own_folder',
    'check_types',
    'check_values',
    'check_writable',
    'constructor_parameters',
    'constructor_types',
    'content_of',
    'counted',
    'doubt',
    'examples',
    'fault',
    'file_fingerprint',
    'fingerprint',
    'first_difference',
    'first_line',
    'is_allowed',
    'key_prefix',
    'lines_fingerprint',
    'log',
    'logging_from',
    'mark_own_folder',
    'nearest',
    'no_file',
    'no_folder',
    'optional_package',
    'plain',
    'printable',
    'problem',
    'progress',
    'warn',
    'without_allowed',
    'without_nan',
    'write_json',
]
