"""A sample of a pool does not depend on how the pool was split."""

from __future__ import annotations

import numpy as np
import pytest

from mmcompose.labeling.compute import pool_sample
from mmcompose.labeling.compute.pool_sample import collect_sample, merge_samples, sorted_by_hash
from mmcompose.labeling.compute.sampling import key_hash, thinned
from mmcompose.labeling.compute.state import State
from tests.labeling.toys import scene
from tests.labeling.worlds import ALIKE, world

SPACE = scene(ALIKE).class_space
IMAGES = [
    (each, scene(ALIKE, key=str(number)).image)
    for number, (each, _) in enumerate(world(images=50).pool)
]


def assert_same(one: State, other: State) -> None:
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize('limits', [(16_384, 10**6), (20, 10**6), (16_384, 150)])
def test_parts_are_merged_to_the_sample_of_the_whole(
    limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_sample, 'MOST_IMAGES', limits[0])
    monkeypatch.setattr(pool_sample, 'MOST_BOXES', limits[1])
    whole = collect_sample(IMAGES, SPACE)
    a, b, c = (collect_sample(IMAGES[i:j], SPACE) for i, j in ((0, 13), (13, 13), (13, 50)))
    assert_same(merge_samples([a, b, c]), whole)
    assert_same(merge_samples([merge_samples([a, b]), c]), whole)
    assert_same(merge_samples([a, merge_samples([b, c])]), whole)
    assert len(whole['hashes']) <= limits[0]
    assert whole['counts'].sum() == len(whole['boxes'])
    # It ends with the image that makes it more.
    last = int(whole['hashes'].argmax())
    assert np.delete(whole['counts'], last, axis=0).sum() <= limits[1]
    assert (len(whole['hashes']) == 50) == (limits == (16_384, 10**6))


def test_a_sample_of_samples_has_no_image_for_which_a_part_had_no_room() -> None:
    def state(*images: tuple[int, int]) -> State:
        hashes, counts = (np.array(each) for each in zip(*images, strict=True))
        return {'hashes': hashes, 'counts': counts, 'boxes': np.repeat(hashes, counts)}

    def sampled(*states: State) -> State:
        return thinned(states, ('hashes', 'counts'), most_boxes=100)

    one, other = state((1, 90), (2, 20), (6, 5)), state((3, 5), (4, 0), (5, 300))
    whole = sampled(one, other)
    assert whole['hashes'].tolist() == [1, 2]
    assert_same(sampled(sampled(one), sampled(other)), whole)
    # Of an image with more boxes than all may have, too.
    assert sampled(state((1, 300)))['boxes'].tolist() == [1] * 300


def test_a_long_stream_is_thinned_out_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_sample, 'MOST_IMAGES', 12)
    whole = collect_sample(IMAGES, SPACE)
    monkeypatch.setattr(pool_sample, '_HELD', 7)
    assert_same(collect_sample(iter(IMAGES), SPACE), whole)


def test_the_order_of_a_pool_is_of_no_account() -> None:
    given = sorted_by_hash(collect_sample(IMAGES, SPACE))
    assert_same(sorted_by_hash(collect_sample(IMAGES[::-1], SPACE)), given)
    # Each image has its own boxes still.
    hashes = [key_hash(image.key) for _, image in IMAGES]
    ends = np.cumsum(given['counts'].sum(axis=1))
    for image, end in zip(given['hashes'].tolist(), ends.tolist(), strict=True):
        found = IMAGES[hashes.index(image)][0]
        own = np.concatenate([found[name].boxes for name in SPACE.teachers])
        np.testing.assert_array_equal(given['boxes'][end - len(own) : end], own)
