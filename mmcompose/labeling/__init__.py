"""The label pipeline: what becomes of the teachers' detections; one file a transform."""

from mmcompose.labeling.adaptive_score_bands import AdaptiveScoreBands
from mmcompose.labeling.adaptive_score_filter import AdaptiveScoreFilter
from mmcompose.labeling.agreement_filter import AgreementFilter
from mmcompose.labeling.agreement_weighted_fusion import AgreementWeightedFusion
from mmcompose.labeling.base import (
    FUSED,
    STUDENT,
    ByTeacher,
    LabelContext,
    LabelTransform,
    Pool,
    Truth,
)
from mmcompose.labeling.box_size_filter import BoxSizeFilter
from mmcompose.labeling.box_weights import BoxWeights
from mmcompose.labeling.class_prior import box_counts
from mmcompose.labeling.co_occurrence import CoOccurrence, co_occurrences
from mmcompose.labeling.concatenate import Concatenate
from mmcompose.labeling.cross_class_suppression import CrossClassSuppression
from mmcompose.labeling.curves import calibration_error
from mmcompose.labeling.label_change import LabelChange, label_change
from mmcompose.labeling.learned_file import read_learned, write_learned
from mmcompose.labeling.matching import judge
from mmcompose.labeling.nms import NMS
from mmcompose.labeling.non_maximum_weighted import NonMaximumWeighted
from mmcompose.labeling.pipeline import LabelPipeline
from mmcompose.labeling.resolve_hierarchy import ResolveHierarchy
from mmcompose.labeling.score_bands import ScoreBands
from mmcompose.labeling.score_calibration import ScoreCalibration
from mmcompose.labeling.score_filter import ScoreFilter
from mmcompose.labeling.soft_nms import SoftNMS
from mmcompose.labeling.top_k import TopK
from mmcompose.labeling.weighted_boxes_fusion import WeightedBoxesFusion

__all__ = [
    'FUSED',
    'NMS',
    'STUDENT',
    'AdaptiveScoreBands',
    'AdaptiveScoreFilter',
    'AgreementFilter',
    'AgreementWeightedFusion',
    'BoxSizeFilter',
    'BoxWeights',
    'ByTeacher',
    'CoOccurrence',
    'Concatenate',
    'CrossClassSuppression',
    'LabelChange',
    'LabelContext',
    'LabelPipeline',
    'LabelTransform',
    'NonMaximumWeighted',
    'Pool',
    'ResolveHierarchy',
    'ScoreBands',
    'ScoreCalibration',
    'ScoreFilter',
    'SoftNMS',
    'TopK',
    'Truth',
    'WeightedBoxesFusion',
    'box_counts',
    'calibration_error',
    'co_occurrences',
    'judge',
    'label_change',
    'read_learned',
    'write_learned',
]
