"""Instance masks: COCO's encoding, to and fro."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pycocotools import mask as coco

from mmcompose.structures import Detections, as_masks, decode_masks, encode_masks, to_rle
from mmcompose.structures.masks import mask_area, no_masks

WIDTH, HEIGHT = 9, 8
BITMAPS = arrays(bool, st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 9)))
TRIANGLE = [[1, 1, 7, 1, 7, 6]]


@settings(deadline=None, derandomize=True)
@given(bitmaps=BITMAPS)
def test_it_is_pycocotools_encoding(bitmaps: NDArray[np.bool_]) -> None:
    height, width = bitmaps.shape[1:]
    masks = encode_masks(bitmaps)
    assert masks.dtype == object and len(masks) == len(bitmaps)
    for mask, bitmap in zip(masks, bitmaps, strict=True):
        if not bitmap.any():
            assert mask is None
            continue
        assert mask == coco.encode(np.asfortranarray(bitmap, np.uint8))['counts']
        assert mask_area(mask) == bitmap.sum()
        np.testing.assert_array_equal(coco.decode(to_rle(mask, width, height)), bitmap)
    np.testing.assert_array_equal(decode_masks(masks, width, height), bitmaps)


@settings(deadline=None, derandomize=True)
@given(bitmaps=BITMAPS.filter(len))
def test_every_form_of_coco_is_read(bitmaps: NDArray[np.bool_]) -> None:
    height, width = bitmaps.shape[1:]
    given = []
    for bitmap in bitmaps:
        compressed = coco.encode(np.asfortranarray(bitmap, np.uint8))
        down = bitmap.T.ravel()
        borders = [0, *(np.flatnonzero(np.diff(down)) + 1), len(down)]
        counts = [0] * int(down[0]) + np.diff(borders).tolist()
        given += [compressed, {**compressed, 'counts': compressed['counts'].decode()}]
        given += [{'size': [height, width], 'counts': counts}]
    expected = np.repeat(encode_masks(bitmaps), 3)
    np.testing.assert_array_equal(as_masks(given, width, height), expected)
    np.testing.assert_array_equal(as_masks(bitmaps, width, height), encode_masks(bitmaps))


def test_polygons_and_what_has_no_pixel() -> None:
    whole = coco.merge(coco.frPyObjects(TRIANGLE, HEIGHT, WIDTH))['counts']
    masks = as_masks([TRIANGLE, None, [], np.zeros((0, 6)).tolist()], WIDTH, HEIGHT)
    assert masks.tolist() == [whole, None, None, None]
    assert as_masks([], WIDTH, HEIGHT).shape == (0,)
    assert as_masks(np.zeros((0, 3, 3), bool), WIDTH, HEIGHT).shape == (0,)


@pytest.mark.parametrize(
    ('given', 'told'),
    [
        (np.ones((1, WIDTH, HEIGHT), bool), 'masks are 8x9 pixels, the image is 9x8'),
        ([{'size': [9, 8], 'counts': '1'}], 'a mask is 8x9 pixels, the image is 9x8'),
        ([{'size': [8, 9], 'counts': 'xyz'}], 'no compressed RLE'),
        ([{'size': [8, 9], 'counts': ''}], 'no compressed RLE'),
        ([{'size': [8, 9], 'counts': '0P'}], 'no compressed RLE'),
        ([{'size': [8, 9], 'counts': '00'}], 'do not fill the image'),
        ([{'size': [8, 9], 'counts': [70, 3, -1]}], 'do not fill the image'),
        ([{'size': [8, 9], 'counts': [1, 2]}], 'do not fill the image'),
        ([{'counts': '00'}], 'dict is neither polygons nor RLE'),
        ([7], 'int is neither polygons nor RLE'),
        ([[[1, 2, 3, 4]]], 'a polygon is not'),
        ([[[1, 2, 3, 4, 5, 6, 7]]], 'a polygon is not'),
        # Not in a list of polygons; of no numbers.
        ([[1, 2, 3, 4, 5, 6]], 'a polygon is not'),
        ([[None]], 'a polygon is not'),
        ([[[1, 2, 3, 4, 5, float('nan')]]], 'a polygon is not'),
        ([[[1, 2, 3, 4, 5, '6']]], 'a polygon is not'),
        ([{'size': 72, 'counts': '1'}], 'size of a mask is 72'),
        # As a size of bytes it would fill the memory.
        ([{'size': [8, 9], 'counts': 10**12}], 'counts of a mask is 1000000000000'),
        ([{'size': [8, 9], 'counts': None}], 'counts of a mask is None'),
        ([{'size': [8, 9], 'counts': [71, None]}], 'runs of a mask are not whole numbers'),
        ([{'size': [8, 9], 'counts': [0.5, 71.5]}], 'runs of a mask are not whole numbers'),
        ([{'size': [8, 9], 'counts': [10**30]}], 'do not fill the image'),
        ([[[1, 2, 3, 4, 5, 10**400]]], 'a polygon is not'),
        ([{'size': [8, 9], 'counts': 'ä'}], 'no compressed RLE'),
    ],
)
def test_what_is_no_mask(given: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        as_masks(given, WIDTH, HEIGHT)


@pytest.fixture
def masked() -> Detections:
    boxes = [[0, 0, 9, 9], [1, 1, 9, 9], [2, 2, 3, 3]]
    bitmaps = np.arange(3)[:, None, None] == np.arange(HEIGHT)[:, None] + np.zeros(WIDTH)
    return Detections.from_arrays(boxes, [0.5, 0.9, 0.7], [0, 1, 0], encode_masks(bitmaps))


def test_masks_go_where_their_boxes_go(masked: Detections) -> None:
    first, second, third = masked.masks
    assert masked[[2, 0]].masks.tolist() == [third, first]
    assert masked[masked.scores > 0.6].masks.tolist() == [second, third]
    assert masked.sorted().masks.tolist() == [second, third, first]
    assert masked.clipped(1, 1).masks.tolist() == [first]
    assert Detections.concatenate([masked[1:], masked[:1]]).masks.tolist() == [second, third, first]


def test_boxes_without_masks_join_those_with(masked: Detections) -> None:
    boxes = Detections.from_arrays([[0, 0, 4, 4]], [0.5], [0])
    joined = Detections.concatenate([boxes, masked[:1]])
    assert joined.masks.tolist() == [None, masked.masks[0]]
    assert boxes.with_masks().masks.tolist() == [None]
    assert masked.with_masks() is masked
    assert no_masks(2).tolist() == [None, None]
    assert Detections.concatenate([boxes, boxes]).masks is None


def test_a_mask_of_two_numbers_needs_no_threshold() -> None:
    inside = np.zeros((1, 8, 9), bool)
    inside[0, 2:5, 3:6] = True
    assert as_masks(inside * np.float32(255), 9, 8).tolist() == encode_masks(inside).tolist()
    for soft in (inside * 0.25, inside * np.linspace(-3, 3, 9), np.full((1, 8, 9), np.nan)):
        with pytest.raises(ValueError, match='need a threshold'):
            as_masks(soft, 9, 8)
