"""Tests of the warnings about target assignment that does not read ignore boxes."""

from __future__ import annotations

from typing import Any

import pytest

from mmcompose.engine.ignore_support import check_ignore_support
from mmcompose.labeling import LabelPipeline

BANDS = LabelPipeline([{'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'ignore': 0.3}])
NO_BAND = LabelPipeline([{'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'ignore': 0.5}])


def _model(*assigners: dict[str, Any]) -> dict[str, Any]:
    stages = [{'assigner': assigner} for assigner in assigners]
    return {'type': 'CascadeRCNN', 'train_cfg': {'rcnn': stages}}


READS = {'type': 'MaxIoUAssigner', 'ignore_iof_thr': 0.5}


@pytest.mark.parametrize(
    ('assigner', 'says'),
    [
        ({'type': 'MaxIoUAssigner', 'ignore_iof_thr': -1}, 'ignore_iof_thr: -1'),
        ({'type': 'MaxIoUAssigner'}, 'ignore_iof_thr: -1'),
        ({'type': 'mmdet.ATSSAssigner'}, 'ignore_iof_thr: -1'),
        ({'type': 'SimOTAAssigner'}, 'SimOTAAssigner does not read'),
        ({'type': 'TaskAlignedAssigner'}, 'TaskAlignedAssigner does not read'),
        ({'type': 'DynamicSoftLabelAssigner'}, 'DynamicSoftLabelAssigner does not read'),
        ({'type': 'HungarianAssigner'}, 'HungarianAssigner does not read'),
    ],
)
def test_an_assigner_that_does_not_read_ignore_boxes_is_named(
    assigner: dict[str, Any], says: str
) -> None:
    (warning,) = check_ignore_support(_model(READS, assigner), BANDS)
    assert warning.startswith('model.train_cfg.rcnn[1].assigner.')
    assert says in warning


def test_an_assigner_that_reads_them_is_not_named() -> None:
    assert check_ignore_support(_model(READS), BANDS) == []


def test_a_model_without_an_assigner_is_named() -> None:
    (warning,) = check_ignore_support({'type': 'FCOS'}, BANDS)
    assert warning.startswith('model: FCOS')


@pytest.mark.parametrize('pipeline', [NO_BAND, LabelPipeline([])], ids=['no band', 'no bands'])
def test_without_an_ignore_band_there_is_nothing_to_say(pipeline: LabelPipeline) -> None:
    assert check_ignore_support({'type': 'FCOS'}, pipeline) == []
