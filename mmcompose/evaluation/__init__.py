"""Metrics over teachers, fused labels and student."""

from mmcompose.evaluation.calibration import (
    BoxFigures,
    CalibrationRow,
    calibration_rows,
    calibration_table,
)
from mmcompose.evaluation.class_tables import class_space_table, co_occurrence_table
from mmcompose.evaluation.coco_file_metric import CocoFileMetric
from mmcompose.evaluation.diagnosis import Diagnosis, diagnose
from mmcompose.evaluation.error_kinds import KINDS, error_kinds
from mmcompose.evaluation.evaluate import CompositionTable, Row, class_groups, evaluate
from mmcompose.evaluation.rendering import composition_table, per_class_table, table_cells
from mmcompose.evaluation.scoring import Scores, score

__all__ = [
    'KINDS',
    'BoxFigures',
    'CalibrationRow',
    'CocoFileMetric',
    'CompositionTable',
    'Diagnosis',
    'Row',
    'Scores',
    'calibration_rows',
    'calibration_table',
    'class_groups',
    'class_space_table',
    'co_occurrence_table',
    'composition_table',
    'diagnose',
    'error_kinds',
    'evaluate',
    'per_class_table',
    'score',
    'table_cells',
]
