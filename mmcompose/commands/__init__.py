"""What each tool does, callable from Python."""

from mmcompose.commands.calibrate import Calibration, calibrate
from mmcompose.commands.command_line import OptionsAction, run_mmdet_tool, run_tool
from mmcompose.commands.config_files import read_compose_config
from mmcompose.commands.evaluate import evaluate_config
from mmcompose.commands.export_labels import export_labels
from mmcompose.commands.export_student import export_student
from mmcompose.commands.label import label
from mmcompose.commands.load import load

__all__ = [
    'Calibration',
    'OptionsAction',
    'calibrate',
    'evaluate_config',
    'export_labels',
    'export_student',
    'label',
    'load',
    'read_compose_config',
    'run_mmdet_tool',
    'run_tool',
]
