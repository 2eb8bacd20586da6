"""The one place that joins teachers, class space, label pipeline and store."""

from mmcompose.composition.composition import Composition
from mmcompose.composition.isolation import untouched_process
from mmcompose.composition.teacher_configs import RESERVED_NAMES
from mmcompose.labeling import STUDENT

__all__ = ['RESERVED_NAMES', 'STUDENT', 'Composition', 'untouched_process']
