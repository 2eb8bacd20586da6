"""ScoreBands: keep, ignore, drop; and ignore boxes that would erase kept ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from mmcompose.labeling import FUSED, LabelPipeline, ScoreBands
from mmcompose.structures import Detections, areas, intersections
from mmcompose.utils import UserError
from tests.labeling.toys import QUICK, apply, bind, built, detections, found, scene


def banded(bands: ScoreBands, boxes: Detections) -> Detections:
    return apply(bands, {FUSED: boxes}, scene())[FUSED]


def test_three_bands() -> None:
    boxes = found(
        *(
            ([20 * i, 0, 20 * i + 9, 9], score, 0)
            for i, score in enumerate([0.7, 0.5, 0.4999, 0.3, 0.2999])
        )
    )
    result = banded(ScoreBands(keep=0.5, ignore=0.3), boxes)
    assert result.scores.tolist() == pytest.approx([0.7, 0.5, 0.4999, 0.3])
    assert result.ignore is not None
    assert result.ignore.tolist() == [False, False, True, True]


def test_without_an_ignore_band_boxes_are_kept_or_dropped() -> None:
    result = banded(ScoreBands(keep=0.5), found(([0, 0, 9, 9], 0.49, 0), ([0, 0, 9, 9], 0.5, 0)))
    assert result.ignore is not None
    assert result.ignore.tolist() == [False]


# MaxIoU assigners blank the anchors under an ignore box before they assign kept ones.
@pytest.mark.parametrize(
    ('ignored', 'stays'),
    [
        ([0, 0, 100, 100], False),
        ([10, 10, 30, 30], False),
        ([10, 10, 30, 19], True),
        ([10, 10, 30, 20], False),
        ([12, 12, 16, 16], True),
        ([30, 30, 60, 60], True),
    ],
)
@pytest.mark.parametrize('label', [0, 1])
def test_an_ignore_box_never_covers_a_kept_one(
    ignored: list[float], stays: bool, label: int
) -> None:
    boxes = found((ignored, 0.4, label), ([10, 10, 30, 30], 0.9, 0))
    result = banded(ScoreBands(keep=0.5, ignore=0.3), boxes)
    assert len(result) == 1 + stays


@QUICK
@given(boxes=detections([0, 1, 2]))
def test_kept_boxes_are_never_erased(boxes: Detections) -> None:
    result = banded(ScoreBands(keep=0.5, ignore=0.2), boxes)
    assert result.ignore is not None
    kept = result.boxes[~result.ignore]
    assert len(kept) == (boxes.scores >= 0.5).sum()
    covered = intersections(result.boxes[result.ignore], kept)
    assert ((covered < 0.5 * areas(kept)) | (areas(kept) == 0)).all()


def test_a_kept_box_without_area_is_covered_by_nothing() -> None:
    boxes = found(([50, 50, 50, 50], 0.9, 0), ([0, 0, 9, 9], 0.3, 0))
    assert len(banded(ScoreBands(keep=0.5, ignore=0.2), boxes)) == 2


def test_bands_of_a_class() -> None:
    # 0.7 has no exact single-precision form: a score of 0.7 reaches it all the same.
    bands = ScoreBands(
        keep=0.5, ignore=0.4, per_class={'cat': {'keep': 0.7}, 'sofa': {'keep': 0.3}}
    )
    boxes = found(
        *(
            ([20 * i, 0, 20 * i + 9, 9], score, label)
            for i, (score, label) in enumerate(
                [(0.5, 0), (0.45, 0), (0.7, 1), (0.69, 1), (0.39, 1), (0.3, 2), (0.29, 2)]
            )
        )
    )
    result = banded(bands, boxes)
    assert result.ignore is not None
    told = list(zip(result.labels.tolist(), result.ignore.tolist(), strict=True))
    assert told == [(0, False), (0, True), (1, False), (1, True), (2, False)]
    assert np.isclose(result.scores, 0.3).any()


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ({'keep': 1.5}, '^step.keep: 1.5 is not in'),
        ({'keep': float('nan')}, '^step.keep: nan'),
        ({'keep': 0.5, 'ignore': 0.6}, r'^step.ignore: 0.6 is not in \[0, keep\], keep = 0.5'),
        ({'keep': 0.5, 'ignore': -0.1}, '^step.ignore: -0.1'),
        ({'keep': 0.5, 'per_class': {'cat': 0.3}}, '^step.per_class.cat: 0.3 is not a dict'),
        (
            {'keep': 0.5, 'per_class': {'cat': {'keeps': 1}}},
            "^step.per_class.cat: 'keeps' ",
        ),
        ({'keep': 0.5, 'per_class': {'cat': {'ignore': 0.6}}}, '^step.per_class.cat.ignore: 0.6'),
        ({'keep': 0.5, 'per_class': {'cat': {'keep': 2}}}, '^step.per_class.cat.keep: 2'),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        built(ScoreBands, **arguments)


def test_a_class_that_the_student_does_not_have() -> None:
    bands = ScoreBands(keep=0.5, per_class={'catt': {'keep': 0.3}})
    with pytest.raises(UserError, match=r"^per_class: 'catt' .*did you mean 'cat'"):
        bind(bands, scene())


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ({'methd': 'prior'}, r"^composition.label_pipeline\[0\]: 'methd' .*did you mean 'method'"),
        ({'method': 'mixtur'}, r"^composition.label_pipeline\[0\].method: 'mixtur'"),
        ({'min_boxes': '50'}, r"^composition.label_pipeline\[0\].min_boxes: '50'"),
        ({'ignore_ratio': 2}, r'^composition.label_pipeline\[0\].ignore_ratio: 2'),
    ],
)
def test_learned_bands_take_what_a_learned_filter_takes(
    arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        LabelPipeline([{'type': 'mmcompose.AdaptiveScoreBands', **arguments}])
