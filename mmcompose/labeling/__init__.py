"""The label pipeline: what becomes of the teachers' detections; one file a transform."""

from mmcompose.labeling.bands.adaptive_score_bands import AdaptiveScoreBands
from mmcompose.labeling.bands.box_weights import BoxWeights
from mmcompose.labeling.bands.score_bands import ScoreBands
from mmcompose.labeling.base import (
    FUSED,
    STUDENT,
    ByTeacher,
    ImageContext,
    LabelInput,
    LabelStream,
    LabelTransform,
)
from mmcompose.labeling.between_classes.appearance_check import AppearanceCheck
from mmcompose.labeling.between_classes.cross_class_suppression import CrossClassSuppression
from mmcompose.labeling.between_classes.resolve_hierarchy import ResolveHierarchy
from mmcompose.labeling.calibration.agreement import AgreementCalibration
from mmcompose.labeling.calibration.base import Calibration
from mmcompose.labeling.calibration.beta import BetaCalibration
from mmcompose.labeling.calibration.by_truth import CalibrationByTruth
from mmcompose.labeling.calibration.isotonic import IsotonicCalibration
from mmcompose.labeling.calibration.platt import PlattCalibration
from mmcompose.labeling.calibration.prior import PriorCalibration
from mmcompose.labeling.calibration.quantile import QuantileCalibration
from mmcompose.labeling.calibration.score_calibration import ScoreCalibration
from mmcompose.labeling.compute.class_prior import box_counts
from mmcompose.labeling.compute.co_occurrence import CoOccurrence, co_occurrences
from mmcompose.labeling.compute.curves import calibration_error
from mmcompose.labeling.compute.label_change import LabelChange, label_change
from mmcompose.labeling.compute.learned_file import read_learned, write_learned
from mmcompose.labeling.compute.matching import judge
from mmcompose.labeling.compute.state import State, summed
from mmcompose.labeling.filters.adaptive_score_filter import AdaptiveScoreFilter
from mmcompose.labeling.filters.agreement_filter import AgreementFilter
from mmcompose.labeling.filters.box_size_filter import BoxSizeFilter
from mmcompose.labeling.filters.duplicate_filter import DuplicateFilter
from mmcompose.labeling.filters.score_filter import ScoreFilter
from mmcompose.labeling.filters.top_k import TopK
from mmcompose.labeling.fusion.agreement_weighted_fusion import AgreementWeightedFusion
from mmcompose.labeling.fusion.concatenate import Concatenate
from mmcompose.labeling.fusion.nms import NMS
from mmcompose.labeling.fusion.non_maximum_weighted import NonMaximumWeighted
from mmcompose.labeling.fusion.overlap_fusion import OverlapFusion
from mmcompose.labeling.fusion.soft_nms import SoftNMS
from mmcompose.labeling.fusion.weighted_boxes_fusion import WeightedBoxesFusion
from mmcompose.labeling.pipeline import LabelPipeline
from mmcompose.labeling.thresholds.base import Threshold
from mmcompose.labeling.thresholds.expected_fbeta import ExpectedFbetaThreshold
from mmcompose.labeling.thresholds.fbeta import FbetaThreshold
from mmcompose.labeling.thresholds.mixture import MixtureThreshold
from mmcompose.labeling.thresholds.precision import PrecisionThreshold
from mmcompose.labeling.thresholds.prior import PriorThreshold
from mmcompose.labeling.thresholds.tempered_fbeta import TemperedFbetaThreshold

__all__ = [
    'FUSED',
    'NMS',
    'STUDENT',
    'AdaptiveScoreBands',
    'AdaptiveScoreFilter',
    'AgreementCalibration',
    'AgreementFilter',
    'AgreementWeightedFusion',
    'AppearanceCheck',
    'BetaCalibration',
    'BoxSizeFilter',
    'BoxWeights',
    'ByTeacher',
    'Calibration',
    'CalibrationByTruth',
    'CoOccurrence',
    'Concatenate',
    'CrossClassSuppression',
    'DuplicateFilter',
    'ExpectedFbetaThreshold',
    'FbetaThreshold',
    'ImageContext',
    'IsotonicCalibration',
    'LabelChange',
    'LabelInput',
    'LabelPipeline',
    'LabelStream',
    'LabelTransform',
    'MixtureThreshold',
    'NonMaximumWeighted',
    'OverlapFusion',
    'PlattCalibration',
    'PrecisionThreshold',
    'PriorCalibration',
    'PriorThreshold',
    'QuantileCalibration',
    'ResolveHierarchy',
    'ScoreBands',
    'ScoreCalibration',
    'ScoreFilter',
    'SoftNMS',
    'State',
    'TemperedFbetaThreshold',
    'Threshold',
    'TopK',
    'WeightedBoxesFusion',
    'box_counts',
    'calibration_error',
    'co_occurrences',
    'judge',
    'label_change',
    'read_learned',
    'summed',
    'write_learned',
]
