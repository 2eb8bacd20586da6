"""Tests of score: detections of anyone through CocoMetric."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from mmengine.logging import MMLogger

from mmcompose.evaluation import CompositionTable, Row, composition_table, score, table_cells
from mmcompose.structures import Detections, encode_masks, no_masks, to_rle

CLASSES = ('cat', 'dog', 'cow')
BOXES = [[0, 0, 40, 40], [50, 10, 90, 60]]


def _info(*labels: int, ignored: int = 0) -> dict[str, Any]:
    instances = [
        {'bbox': BOXES[n], 'bbox_label': label, 'ignore_flag': ignored}
        for n, label in enumerate(labels)
    ]
    return {'height': 64, 'width': 96, 'instances': instances}


def _found(*labels: int) -> Detections:
    return Detections.from_arrays(BOXES[: len(labels)], [0.9] * len(labels), labels)


INFOS = [_info(0, 1), _info(0), _info()]


def test_perfect_detections_score_one() -> None:
    scores = score(INFOS, [_found(0, 1), _found(0), Detections()], CLASSES)
    assert scores.mAP == scores.AP50 == 1
    assert scores.by_class['cat'] == scores.by_class['dog'] == 1


def test_all_figures_stop_at_a_hundred_boxes_an_image() -> None:
    corners = np.arange(150)[:, None] * [4, 0, 4, 0] + [0, 0, 4, 4]
    instances = [{'bbox': box, 'bbox_label': 0, 'ignore_flag': 0} for box in corners.tolist()]
    info = {'height': 64, 'width': 600, 'instances': instances}
    scores = score([info], [Detections.from_arrays(corners, [0.9] * 150, [0] * 150)], CLASSES)
    assert scores.mAP == scores.AP50 == pytest.approx(2 / 3, abs=0.01)
    assert scores.by_class['cat'] == pytest.approx(scores.mAP, abs=0.001)


def test_a_score_is_not_printed_beside_the_table(capfd: pytest.CaptureFixture[str]) -> None:
    logger = MMLogger.get_current_instance()
    level = logger.level
    score(INFOS, [_found(0, 1), _found(0), Detections()], CLASSES)
    assert capfd.readouterr() == ('', '')
    assert logger.level == level


def test_nothing_found_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'error', told.append)
    assert score(INFOS, [Detections()] * 3, CLASSES).mAP == 0
    assert told == []


def test_a_class_without_truth_has_no_score() -> None:
    scores = score(INFOS, [_found(0, 1), _found(0), Detections()], CLASSES)
    assert math.isnan(scores.by_class['cow'])


def test_a_class_that_an_image_does_not_label_is_no_mistake_there() -> None:
    infos = [_info(0, 1), {**_info(0), 'covered_classes': (0,)}]
    scores = score(infos, [_found(0, 1), _found(0, 1)], CLASSES)
    assert scores.by_class['dog'] == 1
    # Nor is one that it labels by chance.
    infos[1] = {**_info(0, 1), 'covered_classes': (0,)}
    assert score(infos, [_found(0, 1), _found(0)], CLASSES).by_class['dog'] == 1


def test_nothing_found_scores_zero_where_there_is_truth() -> None:
    scores = score(INFOS, [Detections()] * 3, CLASSES)
    assert scores.mAP == scores.AP50 == 0
    assert scores.by_class['cat'] == scores.by_class['dog'] == 0
    assert math.isnan(scores.by_class['cow'])


def test_half_of_a_class_found_scores_half_of_it() -> None:
    scores = score(INFOS, [_found(0, 1), Detections(), Detections()], CLASSES)
    assert scores.by_class['cat'] == pytest.approx(0.5, abs=0.01)
    assert scores.by_class['dog'] == 1
    assert scores.mAP == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize('infos', [[_info()], [_info(0, ignored=1)]], ids=['none', 'ignored'])
def test_without_any_truth_there_is_no_score(infos: list[dict[str, Any]]) -> None:
    scores = score(infos, [_found(0)], CLASSES)
    assert math.isnan(scores.mAP)
    assert all(math.isnan(value) for value in scores.by_class.values())


def test_a_mean_over_classes_leaves_out_those_without_truth() -> None:
    scores = score(INFOS, [_found(0, 1), Detections(), Detections()], CLASSES)
    assert scores.mean_over(['dog', 'cow']) == 1
    assert math.isnan(scores.mean_over(['cow']))


def _masked(shift: int, *labels: int) -> Detections:
    bitmaps = np.zeros((len(labels), 64, 96), bool)
    for bitmap, (x1, y1, x2, y2) in zip(bitmaps, BOXES, strict=False):
        bitmap[y1 + shift : y2, x1:x2] = True
    return dataclasses.replace(_found(*labels), masks=encode_masks(bitmaps))


def _info_with_masks(*labels: int) -> dict[str, Any]:
    info = _info(*labels)
    for instance, mask in zip(info['instances'], _masked(0, *labels).masks, strict=True):
        instance['mask'] = to_rle(mask, 96, 64)
    return info


def test_masks_are_scored_by_masks() -> None:
    infos = [_info_with_masks(0, 1), _info_with_masks(0)]
    right = score(infos, [_masked(0, 0, 1), _masked(0, 0)], CLASSES)
    assert right.mAP == right.mask_mAP == right.mask_AP50 == 1
    # The boxes are right; the masks are but three quarters of what they should be.
    low = score(infos, [_masked(10, 0, 1), _masked(10, 0)], CLASSES)
    assert low.mAP == low.mask_AP50 == 1
    assert 0.5 < low.mask_mAP < 0.8


def test_a_box_without_a_mask_is_no_wrong_mask() -> None:
    both = _masked(0, 0, 1)
    boxes = Detections.from_arrays([[60, 5, 90, 30]], [0.99], [0], no_masks(1))
    found = Detections.concatenate([both, boxes])
    scores = score([_info_with_masks(0, 1)], [found], CLASSES)
    assert scores.mask_mAP == 1 and scores.by_class['cat'] < 1


@pytest.mark.parametrize(
    ('info', 'found'), [(_info(0, 1), _masked(0, 0, 1)), (_info_with_masks(0, 1), _found(0, 1))]
)
def test_without_masks_on_both_sides_there_is_no_figure(
    info: dict[str, Any], found: Detections
) -> None:
    scores = score([info], [found], CLASSES)
    assert scores.mAP == 1 and math.isnan(scores.mask_mAP)
    table = CompositionTable([Row('a', scores, None, 1.0)], {'shared': ['cat']})
    assert 'mask mAP' not in table.to_dict()['rows']['a']


def test_what_is_to_be_ignored_needs_no_mask() -> None:
    crowd = {'bbox': [60, 5, 90, 60], 'bbox_label': 0, 'ignore_flag': 1}
    info = _info_with_masks(0)
    info['instances'].append(crowd)
    # The second lies on the crowd: it is not punished.
    bitmap = np.zeros((1, 64, 96), bool)
    bitmap[0, 10:50, 65:85] = True
    second = Detections.from_arrays([[65, 10, 85, 50]], [0.95], [0], encode_masks(bitmap))
    found = Detections.concatenate([_masked(0, 0), second])
    assert score([info], [found], CLASSES).mask_mAP == 1
    assert math.isnan(score([info, _info(0)], [found, _found(0)], CLASSES).mask_mAP)


def test_the_table_has_a_column_where_masks_were_scored() -> None:
    with_masks = score([_info_with_masks(0, 1)], [_masked(0, 0, 1)], CLASSES)
    without = score([_info_with_masks(0, 1)], [_found(0, 1)], CLASSES)
    rows = [Row('a', with_masks, None, 1.0), Row('b', without, None, 1.0)]
    table = CompositionTable(rows, {'shared': ['cat']})
    assert table.to_dict()['rows']['a']['mask AP50'] == 1
    columns = composition_table(table).columns
    headers = [str(column.header) for column in columns]
    assert headers[1:5] == ['mAP', 'AP50', 'mask mAP', 'mask AP50']
    assert list(columns[3].cells) == ['1.000', '-']
    head, cells = table_cells(table)
    assert head == headers
    assert [row[3] for row in cells] == ['1.000', '-']
