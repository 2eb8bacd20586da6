"""From a config to a run.

Importing it (``custom_imports`` of ``_base_/default_compose.py``) lets torch read the
checkpoints that MMEngine writes, so that a run resumes under torch's weights-only loading.
"""

from mmcompose.engine.calibration import Calibration, calibrate
from mmcompose.engine.command_line import OptionsAction, run_mmdet_tool, run_tool
from mmcompose.engine.hooks import ClassRowsHook, LabelSummaryHook
from mmcompose.engine.labelling import label, read_compose_config
from mmcompose.engine.read_composition import describe_classes, read_composition
from mmcompose.engine.resolve import resolve
from mmcompose.engine.runner import CompositionRunner
from mmcompose.engine.scoring import score_config
from mmcompose.teachers import allow_mmengine_checkpoints

allow_mmengine_checkpoints()

__all__ = [
    'Calibration',
    'ClassRowsHook',
    'CompositionRunner',
    'LabelSummaryHook',
    'OptionsAction',
    'calibrate',
    'describe_classes',
    'label',
    'read_compose_config',
    'read_composition',
    'resolve',
    'run_mmdet_tool',
    'run_tool',
    'score_config',
]
