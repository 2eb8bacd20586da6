"""Masks through every step of the label pipeline, and their vote."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcompose.labeling import FUSED, NMS, ByTeacher, WeightedBoxesFusion
from mmcompose.labeling.compute.mask_vote import vote_masks
from mmcompose.structures import Detections, Masks, decode_masks, encode_masks
from mmcompose.structures.masks import no_masks
from tests.labeling.test_every_transform import PIPELINES, fitted
from tests.labeling.toys import (
    HEIGHT,
    QUICK,
    TEACHERS,
    WIDTH,
    apply,
    found,
    permuted,
    scene,
    teacher_detections,
)

BOX = [20, 10, 60, 50]


def rectangle(*box: float) -> bytes:
    x1, y1, x2, y2 = map(int, box)
    bitmap = np.zeros((1, HEIGHT, WIDTH), bool)
    bitmap[:, y1:y2, x1:x2] = True
    return bytes(encode_masks(bitmap)[0])


def pixels(mask: bytes) -> Any:
    return decode_masks(np.array([mask], object), WIDTH, HEIGHT)[0]


def masked(plain: Detections, *masks: bytes | None) -> Detections:
    given = no_masks(len(plain))
    given[:] = masks
    return replace(plain, masks=given)


def rows(detections: Detections) -> list[tuple[Any, ...]]:
    masks = detections.with_masks().masks
    arrays = (detections.boxes, detections.scores, detections.labels, masks)
    return sorted(
        (*map(float, box), float(score), int(label), mask or b'')
        for box, score, label, mask in zip(*arrays, strict=True)
    )


@st.composite
def said_with_masks(draw: st.DrawFn) -> ByTeacher:
    """What each teacher says, some of them without masks, some boxes too."""
    image = draw(teacher_detections())
    with_masks = draw(st.sets(st.sampled_from(sorted(image)), min_size=1))
    return {
        name: replace(each, masks=_masks(each, ord(name))) if name in with_masks else each
        for name, each in image.items()
    }


def _masks(plain: Detections, seed: int) -> Masks:
    """One for each box that depends on the box alone, some None, some outside of the box."""
    bitmaps = np.zeros((len(plain), HEIGHT, WIDTH), bool)
    for bitmap, box, score, label in zip(
        bitmaps, plain.boxes, plain.scores, plain.labels, strict=True
    ):
        random = np.random.default_rng([seed, *(box + 50).astype(int), int(score * 10), label])
        if random.random() < 0.8:
            x1, y1, x2, y2 = (box + random.integers(-15, 16, 4)).clip(0).astype(int)
            bitmap[y1:y2, x1:x2] = True
    return encode_masks(bitmaps)


@pytest.fixture(params=PIPELINES, scope='module')
def pipeline(request: pytest.FixtureRequest) -> Any:
    return fitted(request.param)


@QUICK
@given(image=said_with_masks(), seed=st.integers(0, 99))
def test_the_order_of_teachers_and_boxes_does_not_matter(
    pipeline: Any, image: ByTeacher, seed: int
) -> None:
    expected = apply(pipeline, image, scene())
    shuffled = {name: permuted(image[name], seed) for name in reversed(image)}
    other = {name: TEACHERS[name] for name in ('c', 'a', 'b')}
    reordered = scene(other, classes=list(scene().class_space.classes))
    assert rows(apply(pipeline, shuffled, scene())) == rows(expected)
    assert rows(apply(pipeline, shuffled, reordered)) == rows(expected)


@QUICK
@given(image=said_with_masks())
def test_boxes_are_what_they_are_without_masks(pipeline: Any, image: ByTeacher) -> None:
    bare = {name: replace(each, masks=None) for name, each in image.items()}
    expected, result = apply(pipeline, bare, scene()), apply(pipeline, image, scene())
    assert expected.masks is None
    assert rows(replace(result, masks=None)) == rows(expected)


@QUICK
@given(image=said_with_masks())
def test_masks_fill_the_image_and_hold_no_pixel_that_nobody_named(
    pipeline: Any, image: ByTeacher
) -> None:
    result = apply(pipeline, image, scene()).with_masks()
    named = decode_masks(
        np.concatenate([each.with_masks().masks for each in image.values()]), WIDTH, HEIGHT
    ).any(axis=0)
    for mask in result.masks[[mask is not None for mask in result.masks]]:
        assert pixels(mask).any()
        assert not (pixels(mask) & ~named).any()


def test_a_pixel_is_inside_where_half_of_the_weight_says_so() -> None:
    wide, narrow, low = rectangle(20, 10, 60, 50), rectangle(20, 10, 50, 50), rectangle(*BOX)
    image = {
        'a': masked(found((BOX, 0.9, 0)), wide),
        'b': masked(found((BOX, 0.5, 0)), narrow),
        'c': masked(found((BOX, 0.5, 0)), narrow),
    }
    assert low == wide
    # 1.0 of 1.9 say that the rest is outside.
    assert apply(WeightedBoxesFusion(), image, scene())[FUSED].masks.tolist() == [narrow]
    # A heavier teacher has more than half.
    heavy = scene(weights=[1, 3, 1])
    assert apply(WeightedBoxesFusion(), image, heavy)[FUSED].masks.tolist() == [wide]
    weighted = WeightedBoxesFusion(weights={'a': {'person': 3.0}})
    assert apply(weighted, image, scene())[FUSED].masks.tolist() == [wide]
    # Exactly half is enough: 0.1 + 0.2 against 0.3.
    tie = {
        'a': masked(found((BOX, 0.3, 0)), wide),
        'b': masked(found((BOX, 0.1, 0)), narrow),
        'c': masked(found((BOX, 0.2, 0)), narrow),
    }
    assert apply(WeightedBoxesFusion(), tie, scene())[FUSED].masks.tolist() == [wide]


def test_those_with_a_mask_vote_among_themselves() -> None:
    narrow = rectangle(20, 10, 50, 50)
    image = {
        'a': found((BOX, 0.9, 0), ([100, 10, 140, 50], 0.9, 0)),
        'b': masked(found((BOX, 0.2, 0)), narrow),
        'c': masked(found((BOX, 0.9, 0)), None),
    }
    result = apply(WeightedBoxesFusion(), image, scene())[FUSED]
    by_size = dict(zip(result.cluster_size.tolist(), result.masks.tolist(), strict=True))
    assert by_size == {3: narrow, 1: None}


def test_three_that_share_nothing_have_no_mask() -> None:
    masks = np.array([rectangle(x, 10, x + 10, 20) for x in (0, 20, 40)], object)
    members, weights = np.zeros(3, np.int64), np.ones(3)
    assert vote_masks(masks, weights, members, 1, WIDTH, HEIGHT).tolist() == [None]
    members = np.array([0, 1, -1])
    apart = vote_masks(masks, weights, members, 2, WIDTH, HEIGHT)
    assert apart.tolist() == masks[:2].tolist()


@QUICK
@given(data=st.data())
def test_the_vote_over_runs_is_the_vote_over_pixels(data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    count, height, width = random.integers(1, 8), *random.integers(1, 9, 2)
    bitmaps = random.random((count, height, width)) < random.choice([0.3, 0.6, 0.9])
    weights = random.choice([0.1, 0.2, 0.3, 1 / 3], count)
    members = random.integers(-1, 3, count)
    masks = encode_masks(bitmaps)
    masks[random.random(count) < 0.2] = None
    there = np.array([mask is not None for mask in masks])
    result = vote_masks(masks, weights, members, 3, width, height)
    for cluster in range(3):
        own = there & (members == cluster)
        support = (weights[own, None, None] * bitmaps[own]).sum(axis=0)
        inside = (support >= 0.5 * weights[own].sum() - 1e-7) & own.any()
        assert result[cluster] == encode_masks(inside[None])[0]


def test_the_survivor_of_nms_keeps_its_mask() -> None:
    wide, narrow = rectangle(20, 10, 60, 50), rectangle(20, 10, 50, 50)
    image = {
        'a': masked(found((BOX, 0.5, 0)), wide),
        'b': masked(found(([20, 10, 60, 48], 0.9, 0)), narrow),
        'c': found(([20, 10, 59, 49], 0.4, 0), ([100, 10, 140, 50], 0.9, 0)),
    }
    result = apply(NMS(), image, scene())[FUSED]
    by_size = dict(zip(result.cluster_size.tolist(), result.masks.tolist(), strict=True))
    assert by_size == {3: narrow, 1: None}
    # A survivor without a mask takes the best of those that it stands for.
    bare = {**image, 'b': replace(image['b'], masks=None)}
    assert wide in apply(NMS(), bare, scene())[FUSED].masks.tolist()
