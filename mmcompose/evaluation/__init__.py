"""Metrics over teachers, fused labels and student."""

from mmcompose.evaluation.calibration import (
    BoxFigures,
    CalibrationRow,
    calibration_rows,
    calibration_table,
)
from mmcompose.evaluation.class_tables import class_space_table, co_occurrence_table
from mmcompose.evaluation.evaluate import CompositionTable, Row, class_groups, evaluate
from mmcompose.evaluation.rendering import composition_table, per_class_table
from mmcompose.evaluation.scoring import Scores, score

__all__ = [
    'BoxFigures',
    'CalibrationRow',
    'CompositionTable',
    'Row',
    'Scores',
    'calibration_rows',
    'calibration_table',
    'class_groups',
    'class_space_table',
    'co_occurrence_table',
    'composition_table',
    'evaluate',
    'per_class_table',
    'score',
]
