"""Tests of splits: sizes, nesting, classes, and what stands in the files."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mmdet.registry import DATASETS
from mmengine.registry import DefaultScope

from mmcompose.datasets import split_coco
from mmcompose.datasets.splits import nested_splits, split_sizes
from mmcompose.utils import UserError
from tests import toys

presences = st.tuples(st.integers(4, 60), st.integers(0, 6)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


@settings(max_examples=60)
@given(presences, st.integers(0, 3), st.data())
def test_splits_are_exact_nested_and_keep_every_class(presence: Any, seed: int, data: Any) -> None:
    wanted = st.lists(st.integers(1, len(presence) - 1), min_size=1, max_size=3, unique=True)
    sizes = data.draw(wanted)
    splits = nested_splits(presence, sizes, seed)
    assert [len(set(rows.tolist())) for rows in splits] == sizes
    by_size = [set(rows.tolist()) for rows in sorted(splits, key=len)]
    assert all(small < large for small, large in pairwise(by_size))
    present = presence.any(axis=0)
    for rows in splits:
        if len(rows) >= present.sum():
            assert (presence[rows].any(axis=0) == present).all()
    again = nested_splits(presence, sizes, seed)
    assert all((a == b).all() for a, b in zip(splits, again, strict=True))


def test_a_class_of_a_single_image_is_in_the_smallest_split_of_every_fold() -> None:
    random = np.random.default_rng(0)
    presence = np.zeros((1000, 10), np.bool_)
    presence[:, :9] = random.random((1000, 9)) < 0.2
    presence[7, 9] = True
    for fold in range(20):
        assert 7 in nested_splits(presence, [10, 100], 0, fold)[0]


def test_a_rare_class_is_in_the_first_split_that_has_room_for_all() -> None:
    random = np.random.default_rng(0)
    presence = random.random((500, 20)) < 0.2
    presence[:, 19] = False
    presence[[3, 4], 19] = True
    for fold in range(10):
        smallest, *larger = nested_splits(presence, [2, 25, 50], 0, fold)
        assert not presence[smallest].any(axis=0).all()
        assert all(presence[rows].any(axis=0).all() for rows in larger)


def test_every_class_keeps_its_share() -> None:
    random = np.random.default_rng(0)
    presence = random.random((1000, 8)) < np.linspace(0.02, 0.5, 8)
    for size, rows in zip((100, 500), nested_splits(presence, [100, 500]), strict=True):
        expected = presence.sum(axis=0) * size / 1000
        assert np.abs(presence[rows].sum(axis=0) - expected).max() <= 2.0
        negatives = ~presence.any(axis=1)
        assert abs(negatives[rows].sum() - negatives.sum() * size / 1000) <= 2.0
    # A draw without strata is further off.
    plain = random.permutation(1000)[:100]
    assert np.abs(presence[plain].sum(axis=0) - presence.sum(axis=0) / 10).max() > 2.0


def test_fewer_images_than_classes_hold_as_many_classes_as_they_can() -> None:
    presence = np.zeros((50, 12), np.bool_)
    presence[np.arange(50), np.arange(50) % 12] = True
    presence[49, :6] = True
    presence[48, 6:] = True
    (rows,) = nested_splits(presence, [2])
    assert presence[rows].any(axis=0).all()


def test_folds_and_seeds_give_other_splits() -> None:
    presence = np.ones((200, 1), np.bool_)
    chosen = {
        tuple(nested_splits(presence, [20], seed, fold)[0]) for seed in (0, 1) for fold in (1, 2)
    }
    assert len(chosen) == 4


@pytest.mark.parametrize(
    ('percents', 'counts', 'sizes'),
    [([1, 5, 10], [], {'1': 12, '5': 60, '10': 120}), ([0.1], [7], {'0.1': 1, '7images': 7})],
)
def test_sizes_are_whole_images(percents: Any, counts: Any, sizes: Any) -> None:
    assert split_sizes(1200, percents, counts) == sizes


@pytest.mark.parametrize(
    ('percents', 'counts', 'says'),
    [
        ([], [], 'percents: is missing; give it, or counts'),
        ([0.01], [], 'percents: 0.01 of 1200 images are 0: neither part may be empty'),
        ([100], [], 'percents: 100 of 1200 images are 1200: neither part may be empty'),
        ([], [-1], 'counts: -1 of 1200 images are -1: neither part may be empty'),
        ([1], [12], 'percents: 1 and 12images are both 12 images; leave out one'),
        ([float('nan')], [], 'percents: nan is no number'),
    ],
)
def test_a_size_that_cannot_be_is_told(percents: Any, counts: Any, says: str) -> None:
    with pytest.raises(UserError) as caught:
        split_sizes(1200, percents, counts)
    assert caught.value.lines == (says,)


def test_files_are_named_as_mmdet_names_them_and_lose_nothing(truth: str, tmp_path: Path) -> None:
    written = split_coco(truth, percents=[25], counts=[4], folds=2, out=tmp_path / 'new')
    names = sorted(path.name for path in (tmp_path / 'new').iterdir())
    assert names == sorted(
        f'truth.{fold}@{size}{part}.json'
        for fold in (1, 2)
        for size in ('25', '4images')
        for part in ('', '-unlabeled')
    )
    whole = json.loads(Path(truth).read_text())
    for each in written:
        labeled = json.loads(each.labeled.read_text())
        rest = json.loads(each.unlabeled.read_text())
        ids = {image['id'] for image in labeled['images']}
        assert len(ids) == len(labeled['images']) == each.num_images
        assert ids.isdisjoint(image['id'] for image in rest['images'])
        assert len(ids) + len(rest['images']) == len(whole['images'])
        kept = [one for one in whole['annotations'] if one['image_id'] in ids]
        assert labeled['annotations'] == kept and rest['annotations'] == []
        assert labeled['categories'] == rest['categories'] == whole['categories']
        assert each.lost == ()


def test_both_parts_are_read_as_data_sets(pool: Path, truth: str, tmp_path: Path) -> None:
    (split,) = split_coco(truth, counts=[3], out=tmp_path)
    prefix = {'img': str(pool)}
    truth_config = {'type': 'CocoDataset', 'ann_file': str(split.labeled), 'data_prefix': prefix}
    configs = [
        {'type': 'mmcompose.ClassSpaceDataset', 'dataset': truth_config, 'classes': toys.STUDENT},
        {
            'type': 'mmcompose.UnlabeledImages',
            'ann_file': str(split.unlabeled),
            'data_prefix': prefix,
        },
    ]
    with DefaultScope.overwrite_default_scope('mmdet'):
        labeled, rest = (DATASETS.build(config) for config in configs)
    paths = [{each.get_data_info(i)['img_path'] for i in range(len(each))}
             for each in (labeled, rest)]  # fmt: skip
    assert [len(each) for each in paths] == [3, 5] and paths[0].isdisjoint(paths[1])


@pytest.mark.parametrize('key', ['iscrowd', 'ignore'])
def test_what_no_detector_learns_from_does_not_make_a_class_present(
    key: str, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = Path(toys.write_coco(tmp_path / 'crowds.json', drawn, {1: 'red', 2: 'blue'}))
    content = json.loads(path.read_text())
    for each in content['annotations']:
        each[key] = int(each['category_id'] == 2 and each['image_id'] != 6)
    path.write_text(json.dumps(content))
    (split,) = split_coco(path, counts=[2], out=tmp_path)
    images = json.loads(split.labeled.read_text())['images']
    assert 6 in {image['id'] for image in images}


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        (lambda content: content.pop('annotations'), 'with annotations and categories'),
        (lambda content: content['categories'].pop(), 'has category 5, which is not listed'),
        (lambda content: content['images'].append(content['images'][0]), 'has one id, '),
        (lambda content: content['categories'][0].pop('name'), 'has no name in categories[0]'),
    ],
)  # fmt: skip
def test_a_broken_file_is_told_and_nothing_is_written(
    change: Any, says: str, truth: str, tmp_path: Path
) -> None:
    content = json.loads(Path(truth).read_text())
    change(content)
    path = tmp_path / 'broken.json'
    path.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        split_coco(path, counts=[2], out=tmp_path / 'out')
    assert says in str(caught.value) and str(path) in str(caught.value)
    assert not (tmp_path / 'out').exists()


def test_annotations_of_no_listed_image_are_left_out(truth: str, tmp_path: Path) -> None:
    content = json.loads(Path(truth).read_text())
    content['images'].pop()
    path = tmp_path / 'fewer.json'
    path.write_text(json.dumps(content))
    (split,) = split_coco(path, counts=[2], out=tmp_path)
    made = json.loads(split.labeled.read_text())
    assert {each['image_id'] for each in made['annotations']} <= {i['id'] for i in made['images']}


def test_a_file_where_the_folder_should_be_is_told(truth: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'out: .* is a file; give the path of a folder'):
        split_coco(truth, counts=[2], out=truth)


def test_a_missing_file_is_told_with_the_nearest(truth: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'did you mean .*truth\.json'):
        split_coco(f'{truth}x', counts=[2], out=tmp_path)
