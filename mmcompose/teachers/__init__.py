"""Anything that turns images into detections; one file a kind."""

from mmcompose.teachers.base import Teacher, total_parameters
from mmcompose.teachers.batches import PreparedTeacher
from mmcompose.teachers.checkpoint import (
    allow_mmengine_checkpoints,
    checkpoint_classes,
    read_checkpoint,
)
from mmcompose.teachers.coco_results.teacher import COCOResultsTeacher
from mmcompose.teachers.ensemble import EnsembleTeacher
from mmcompose.teachers.feature_maps import ShowsFeatureMaps
from mmcompose.teachers.function import FunctionTeacher
from mmcompose.teachers.http_server.teacher import HTTPTeacher
from mmcompose.teachers.huggingface import HuggingFaceTeacher
from mmcompose.teachers.identity import teacher_identity
from mmcompose.teachers.mmdet.config import read_config
from mmcompose.teachers.mmdet.model import check_class_count, let_decode, load_weights
from mmcompose.teachers.mmdet.teacher import MMDetTeacher
from mmcompose.teachers.named_classes import named_classes
from mmcompose.teachers.onnx import ONNXTeacher
from mmcompose.teachers.safe_files import read_files_safely

read_files_safely()

__all__ = [
    'COCOResultsTeacher',
    'EnsembleTeacher',
    'FunctionTeacher',
    'HTTPTeacher',
    'HuggingFaceTeacher',
    'MMDetTeacher',
    'ONNXTeacher',
    'PreparedTeacher',
    'ShowsFeatureMaps',
    'Teacher',
    'allow_mmengine_checkpoints',
    'check_class_count',
    'checkpoint_classes',
    'let_decode',
    'load_weights',
    'named_classes',
    'read_checkpoint',
    'read_config',
    'teacher_identity',
    'total_parameters',
]
