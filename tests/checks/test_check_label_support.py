"""Tests of the warnings about students that do not take all that is known of labels."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.registry import DefaultScope

from mmcompose.checks.check_label_support import check_label_support
from mmcompose.labeling import LabelPipeline

BANDS = {'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'ignore': 0.3}
NO_BAND = {'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'ignore': 0.5}
WEIGHTS = {'type': 'mmcompose.BoxWeights'}

RETINANET = {'type': 'RetinaNet', 'bbox_head': {'type': 'RetinaHead'}}
CORNERNET = {'type': 'CornerNet', 'bbox_head': {'type': 'CornerHead'}}
LAD = {'type': 'LAD', 'bbox_head': {'type': 'LADHead'}}
PISA = {'type': 'RetinaNet', 'bbox_head': {'type': 'PISARetinaHead'}}


def _said(model: dict[str, Any], *steps: dict[str, Any], **train_cfg: Any) -> list[str]:
    with DefaultScope.overwrite_default_scope('mmdet'):
        return check_label_support({**model, 'train_cfg': train_cfg}, LabelPipeline(list(steps)))


@pytest.mark.parametrize(
    'heads',
    [
        {'bbox_head': {'type': 'RetinaHead'}},
        {'bbox_head': {'type': 'mmdet.YOLOXHead'}},
        {'rpn_head': {'type': 'RPNHead'}, 'roi_head': {'type': 'CascadeRoIHead'}},
        {'bbox_head': {'type': 'mmcompose.EfficientDetHead'}},
        {'bbox_head': {'type': 'DINOHead'}},
        {'bbox_head': {'type': 'FreeAnchorRetinaHead'}},
    ],
    ids=['RetinaNet', 'YOLOX', 'Cascade R-CNN', 'EfficientDet', 'DINO', 'FreeAnchor'],
)
def test_a_student_that_takes_all_is_not_spoken_of(heads: dict[str, Any]) -> None:
    # Whatever its assigner: ours reads what MMDet's does not.
    assigner = {'type': 'MaxIoUAssigner', 'ignore_iof_thr': -1}
    assert _said({'type': 'Any', **heads}, BANDS, WEIGHTS, assigner=assigner) == []


@pytest.mark.parametrize('model', [CORNERNET, LAD], ids=['CornerNet', 'LAD'])
def test_a_student_that_does_not_is_named_with_what_is_lost(model: dict[str, Any]) -> None:
    head = model['bbox_head']['type']
    (ignored,) = _said(model, BANDS)
    assert ignored.startswith(f'model.bbox_head.type: {head}')
    assert 'ignore band count as background' in ignored
    (weighed,) = _said(model, NO_BAND, WEIGHTS)
    assert weighed.endswith('weights of boxes have no effect')
    assert len(_said(model, BANDS, WEIGHTS)) == 2


def test_ignore_boxes_that_mmdet_reads_itself_are_no_matter() -> None:
    assigner = {'type': 'MaxIoUAssigner', 'ignore_iof_thr': 0.5}
    assert _said(PISA, BANDS, assigner=assigner) == []
    assert len(_said(PISA, BANDS, assigner={**assigner, 'ignore_iof_thr': -1})) == 1


@pytest.mark.parametrize('steps', [[NO_BAND], []], ids=['no band', 'no bands'])
def test_without_uncertain_labels_there_is_nothing_to_say(steps: list[dict[str, Any]]) -> None:
    assert _said(CORNERNET, *steps) == []


def test_a_model_without_a_head_is_named() -> None:
    (line,) = _said({'type': 'Strange'}, WEIGHTS)
    assert line.startswith('model.type: Strange has no head')
