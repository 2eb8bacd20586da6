"""Boxes that were read in another form than they were written in give themselves away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcompose.structures.box_forms import CXCYWH, FORMS, XYWH, XYXY, other_form

SIZE = (96, 64)
# Three objects of a picture, as corners.
CORNERS = np.array([[60, 40, 90, 60], [5, 5, 20, 20], [50, 30, 95, 60]], float)
SIDES = CORNERS[:, 2:] - CORNERS[:, :2]
WRITTEN = {
    XYXY: CORNERS,
    XYWH: np.concatenate([CORNERS[:, :2], SIDES], axis=1),
    CXCYWH: np.concatenate([CORNERS[:, :2] + SIDES / 2, SIDES], axis=1),
}


@pytest.mark.parametrize(
    ('written', 'read', 'expected'),
    [
        (XYWH, XYWH, None),
        (XYXY, XYXY, None),
        (CXCYWH, CXCYWH, None),
        (XYXY, XYWH, XYXY),
        (CXCYWH, XYWH, CXCYWH),
        (XYXY, CXCYWH, XYXY),
        # Sides that are no corners are found by their order, elsewhere.
        (XYWH, XYXY, None),
    ],
)
def test_another_form_is_found(written: str, read: str, expected: str | None) -> None:
    boxes = WRITTEN[written]
    assert other_form(boxes, [SIZE] * 3, read) == expected
    assert other_form(boxes / [*SIZE, *SIZE], [(1, 1)] * 3, read) == expected


@pytest.mark.parametrize(
    ('boxes', 'sizes'),
    [
        ([], []),
        # Nobody knows how large the pictures are.
        (CORNERS, [(0, 0)] * 3),
        # One alone may go astray.
        ([[60, 40, 90, 60]], [SIZE]),
        # A little over the border, as a head regresses and no one cuts.
        ([[0, 0, 98, 66], [50, 20, 50, 46]], [SIZE] * 2),
        # Far over it, but in every form.
        ([[60, 40, 200, 100]] * 3, [SIZE] * 3),
        # Few among many.
        ([[60, 40, 90, 60]] * 2 + [[10, 10, 20, 20]] * 20, [SIZE] * 22),
    ],
)
def test_what_may_be_as_it_is_read_is(boxes: Any, sizes: Any) -> None:
    assert other_form(boxes, sizes, XYWH) is None


corners = st.lists(
    st.tuples(*(st.floats(0, 0.9), st.floats(0.02, 0.1)) * 2).map(
        lambda box: (box[0], box[2], box[0] + box[1], box[2] + box[3])
    ),
    min_size=1,
    max_size=12,
)


@given(corners, st.sampled_from([(1, 1), (96, 64), (4000, 3000)]))
def test_boxes_within_their_pictures_are_never_of_another_form(
    boxes: list[Any], size: tuple[int, int]
) -> None:
    scaled = np.array(boxes) * [*size, *size]
    sides = scaled[:, 2:] - scaled[:, :2]
    written = np.concatenate([scaled[:, :2], sides], axis=1)
    assert other_form(written, [size] * len(boxes), XYWH) is None
    np.testing.assert_allclose(FORMS[XYWH](written), scaled)
