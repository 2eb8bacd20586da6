"""The table of a class space."""

from __future__ import annotations

import time

import numpy as np
import pytest

from mmcompose.class_space import ClassSpace, overview
from mmcompose.class_space.overview import look_alikes


def test_who_knows_what() -> None:
    space = ClassSpace(
        {'voc': ['sofa', 'car'], 'coco': ['couch', 'car', 'truck', 'toilet', 'potted_plant']},
        classes=['car', 'sofa', 'unicorn', 'potted plant'],
        aliases=['voc-coco'],
        mapping={'coco': {'truck': 'car', 'toilet': None}},
    )
    seen = overview(space)
    assert seen.rows == [
        ('car', {'voc': ['car'], 'coco': ['car', 'truck']}),
        ('sofa', {'voc': ['sofa'], 'coco': ['couch']}),
        ('unicorn', {}),
        ('potted plant', {'coco': ['potted_plant']}),
    ]
    assert seen.dropped == {'coco': ['toilet']}
    assert seen.without_owner == ['unicorn']
    assert seen.alike == seen.tied == seen.coarse == []


def test_a_dropped_name_that_looks_like_a_class() -> None:
    space = ClassSpace({'a': ['tv'], 'b': ['TV', 'rug']}, classes=['tv'], on_unmapped='drop')
    assert overview(space).alike == [('tv', 'TV')]


def test_two_classes_that_a_shipped_table_takes_for_one() -> None:
    space = ClassSpace({'voc': ['sofa', 'tvmonitor'], 'coco': ['couch', 'tv', 'TV', 'N/A']})
    seen = overview(space)
    assert ('sofa', 'couch', 'voc-coco') in seen.tied
    assert ('tvmonitor', 'tv', 'voc-coco') in seen.tied
    assert len(seen.tied) == 2
    assert seen.alike == [('tv', 'TV')]


def test_a_coarse_class_that_the_student_lacks() -> None:
    teachers = {'fine': ['cat'], 'coarse': ['animal']}
    seen = overview(ClassSpace(teachers, classes=['cat'], hierarchy={'animal': ['cat']}))
    assert seen.rows == [('cat', {'fine': ['cat']})]
    assert seen.coarse == [('animal', {'coarse': ['animal']})]
    assert seen.dropped == {}


@pytest.mark.parametrize(
    ('first', 'second', 'alike'),
    [
        ('traffic light', 'traffic_light', True),
        ('donut', 'doughnut', False),
        ('hair drier', 'hair dryer', True),
        ('aeroplane', 'airplane', True),
        ('cat', 'car', False),
        ('猫', '狗', False),
        ('自転車', '自転 車', True),
        ('cat', 'cat', False),
    ],
)
def test_names_that_look_alike(first: str, second: str, alike: bool) -> None:
    assert look_alikes([first, second]) == ([(first, second)] if alike else [])


def test_thousands_of_classes_take_no_minutes() -> None:
    random = np.random.default_rng(0)
    letters = random.integers(ord('a'), ord('z') + 1, (4000, 12), np.uint8)
    names = [row.tobytes().decode() for row in letters]
    started = time.perf_counter()
    # More than LVIS has; V3Det has 13,000.
    space = ClassSpace({'a': names}, classes=names, hierarchy={names[0]: names[1:]})
    assert space.hierarchy.depth.sum() == len(names) - 1
    assert overview(ClassSpace({'a': names[:1500]})).alike == []
    assert time.perf_counter() - started < 15
