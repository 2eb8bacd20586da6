"""Which kinds of pictures a pool holds."""

from __future__ import annotations

import numpy as np
import pytest

from mmcompose.labeling.compute.picture_domains import kinds_of_pictures


@pytest.mark.parametrize(('distance', 'kinds'), [(0.0, 1), (20.0, 2)])
def test_kinds_are_groups_that_stand_apart(distance: float, kinds: int) -> None:
    pictures = np.random.default_rng(0).normal(size=(1500, 8)).astype(np.float32)
    pictures[1000:] += distance
    found = kinds_of_pictures(pictures)
    assert len(np.unique(found)) == kinds == len(np.unique(found[:1000])) + (kinds - 1)
    assert len(np.unique(found[1000:])) == 1


@pytest.mark.parametrize('count', [0, 1, 2, 500])
def test_pictures_that_are_all_alike_are_of_one_kind(count: int) -> None:
    assert kinds_of_pictures(np.ones((count, 3), np.float32)).tolist() == [0] * count


def test_two_pictures_over_and_over_are_of_one_kind() -> None:
    pictures = np.repeat(np.eye(2, dtype=np.float32), 100, axis=0)
    assert not kinds_of_pictures(pictures).any()
