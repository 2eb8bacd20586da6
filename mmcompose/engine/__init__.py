"""From a config to a run.

Importing it (``custom_imports`` of ``_base_/default_compose.py``) lets torch read the
checkpoints that MMEngine writes, so that a run resumes under torch's weights-only loading.
"""

from mmcompose.engine.hooks import ClassRowsHook, LabelSummaryHook
from mmcompose.engine.read_composition import describe_classes, read_composition
from mmcompose.engine.resolve import resolve
from mmcompose.engine.runner import CompositionRunner
from mmcompose.teachers import allow_mmengine_checkpoints

allow_mmengine_checkpoints()

__all__ = [
    'ClassRowsHook',
    'CompositionRunner',
    'LabelSummaryHook',
    'describe_classes',
    'read_composition',
    'resolve',
]
