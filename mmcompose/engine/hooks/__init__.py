"""What MMEngine's Runner calls on the way."""

from mmcompose.engine.hooks.average_teachers import AverageTeachersHook
from mmcompose.engine.hooks.card import CompositionCardHook
from mmcompose.engine.hooks.channels_last import ChannelsLastHook
from mmcompose.engine.hooks.class_rows import ClassRowsHook
from mmcompose.engine.hooks.feature_distillation import FeatureDistillationHook
from mmcompose.engine.hooks.label_agreement import LabelAgreementHook
from mmcompose.engine.hooks.label_refresh import PseudoLabelRefreshHook
from mmcompose.engine.hooks.label_summary import LabelSummaryHook, summary
from mmcompose.engine.hooks.teacher_eval import TeacherEvalHook
from mmcompose.engine.hooks.uncertain_labels import UncertainLabelsHook

__all__ = [
    'AverageTeachersHook',
    'ChannelsLastHook',
    'ClassRowsHook',
    'CompositionCardHook',
    'FeatureDistillationHook',
    'LabelAgreementHook',
    'LabelSummaryHook',
    'PseudoLabelRefreshHook',
    'TeacherEvalHook',
    'UncertainLabelsHook',
    'summary',
]
