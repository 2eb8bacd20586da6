"""Metrics over teachers, fused labels and student."""

from mmcompose.evaluation.evaluate import CompositionTable, Row, class_groups, evaluate
from mmcompose.evaluation.rendering import composition_table, per_class_table
from mmcompose.evaluation.scoring import Scores, score

__all__ = [
    'CompositionTable',
    'Row',
    'Scores',
    'class_groups',
    'composition_table',
    'evaluate',
    'per_class_table',
    'score',
]
