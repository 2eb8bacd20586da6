"""What each tool does, callable from Python."""

from mmcompose.commands.calibrate import Calibration, calibrate
from mmcompose.commands.command_line import OptionsAction, run_mmdet_tool, run_tool
from mmcompose.commands.config_files import read_compose_config
from mmcompose.commands.evaluate import evaluate_config
from mmcompose.commands.label import label

__all__ = [
    'Calibration',
    'OptionsAction',
    'calibrate',
    'evaluate_config',
    'label',
    'read_compose_config',
    'run_mmdet_tool',
    'run_tool',
]
