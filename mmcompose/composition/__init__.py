"""The one place that joins teachers, class space, label pipeline and store."""

from mmcompose.composition.composition import Composition
from mmcompose.composition.pool_labels import PoolLabels
from mmcompose.composition.process_state import preserve_process_state
from mmcompose.composition.ray_workers import RayWorkers
from mmcompose.composition.teacher_configs import (
    EXPORTED_STUDENT,
    ORACLE,
    PSEUDO_LABELS,
    RESERVED_NAMES,
    without_weight,
)
from mmcompose.labeling import STUDENT

__all__ = [
    'EXPORTED_STUDENT',
    'ORACLE',
    'PSEUDO_LABELS',
    'RESERVED_NAMES',
    'STUDENT',
    'Composition',
    'PoolLabels',
    'RayWorkers',
    'preserve_process_state',
    'without_weight',
]
