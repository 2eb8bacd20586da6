"""The figures of benchmarks/teachers.py: agreement of two teachers, and the bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.teachers import KNOWN_MAP, agreement, bars, teacher_configs
from mmcompose.structures import Detections
from mmcompose.utils import UserError

BOXES = np.array([[0, 0, 100, 100], [0, 0, 100, 100.1], [200, 200, 300, 260]], np.float32)
SAID = Detections.from_arrays(BOXES, [0.9, 0.8, 0.06], [0, 0, 1])


def test_a_teacher_agrees_with_itself_in_another_order() -> None:
    same = agreement([(SAID, SAID[[2, 0, 1]]), (Detections(), Detections())])
    assert same == {'boxes': 6, 'matched': 1.0, 'score_difference': 0.0}


def test_boxes_under_the_floor_are_partners_but_are_not_asked_for() -> None:
    lower = Detections.from_arrays(BOXES, [0.9, 0.8, 0.0495], [0, 0, 1])
    same = agreement([(SAID, lower)])
    assert (same['boxes'], same['matched']) == (5, 1.0)
    assert same['score_difference'] == pytest.approx(0.0105, abs=1e-6)


@pytest.mark.parametrize(
    'other',
    [
        SAID[[0, 1]],
        Detections.from_arrays(BOXES, SAID.scores, [0, 0, 2]),
        Detections.from_arrays(BOXES + np.array([[0], [0], [1]]), SAID.scores, SAID.labels),
        Detections.from_arrays(BOXES[[0, 2]], [0.9, 0.06], [0, 1]),
    ],
    ids=['missing', 'another class', 'a pixel off', 'one partner for two'],
)
def test_what_only_one_says_is_counted(other: Detections) -> None:
    assert agreement([(SAID, other)])['matched'] < 1
    assert agreement([(other, SAID)])['matched'] < 1


def test_bars_hold_a_teacher_to_its_known_figure_from_both_sides() -> None:
    figures = {
        'rows': {name: {'mAP': known + 0.004} for name, known in KNOWN_MAP.items()},
        'agreement': {'matched': 0.999, 'score_difference': 2e-4},
    }
    assert all(bar.ok for bar in bars(figures).values())
    for wrong in (0.476, 0.488, float('nan')):
        figures['rows']['yolox_onnx']['mAP'] = wrong
        assert [name for name, bar in bars(figures).items() if not bar.ok] == [
            'yolox_onnx: mAP, distance from 0.482'
        ]


def test_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='is missing; name its folder with --weights'):
        teacher_configs(tmp_path)
