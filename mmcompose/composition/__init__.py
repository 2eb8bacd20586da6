"""The one place that joins teachers, class space, label pipeline and store."""

from mmcompose.composition.composition import RESERVED_NAMES, STUDENT, Composition
from mmcompose.composition.isolation import untouched_process

__all__ = ['RESERVED_NAMES', 'STUDENT', 'Composition', 'untouched_process']
