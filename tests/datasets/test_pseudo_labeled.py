"""Tests of PseudoLabeledDataset: lengths, negatives, and when labels are made."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from mmdet.datasets import ConcatDataset
from mmdet.registry import DATASETS
from mmengine.registry import DefaultScope
from mmengine.runner.runner import _SlicedDataset

from mmcompose.composition import Composition
from mmcompose.datasets import (
    ClassSpaceDataset,
    PseudoLabeledDataset,
    UnlabeledImages,
    each_dataset,
    pseudo_labeled,
)
from mmcompose.utils import UserError
from tests import toys


def _config(pool: Path, store: Path, **changes: Any) -> dict[str, Any]:
    plain = {
        'type': 'mmcompose.PseudoLabeledDataset',
        'dataset': {'type': 'mmcompose.UnlabeledImages', 'data_prefix': {'img': str(pool)}},
        'composition': Composition.from_config(toys.composition(store)).resolved,
        'metainfo': {'classes': list(toys.STUDENT)},
        'pipeline': [],
    }
    return {**plain, **changes}


def _build(config: dict[str, Any]) -> PseudoLabeledDataset:
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset: PseudoLabeledDataset = DATASETS.build(config)
    return dataset


def _strict(store: Path) -> dict[str, Any]:
    """A composition whose filter leaves nothing."""
    steps = [{'type': 'mmcompose.ScoreFilter', 'min_score': 1.0}, toys.LABEL_PIPELINE[1]]
    return Composition.from_config(toys.composition(store, label_pipeline=steps)).resolved


def test_labels_are_made_when_first_used_and_not_when_built(pool: Path, tmp_path: Path) -> None:
    dataset = _build(_config(pool, tmp_path / 'store'))
    assert not (tmp_path / 'store').exists()
    dataset.full_init()
    assert (tmp_path / 'store' / 'labels').is_dir()


def test_it_is_found_where_num_batch_per_epoch_hides_it(pool: Path, tmp_path: Path) -> None:
    dataset = _build(_config(pool, tmp_path / 'store'))
    hidden = _SlicedDataset(dataset, 4)
    assert list(pseudo_labeled(hidden)) == [dataset]
    assert list(each_dataset(hidden)) == [hidden, *each_dataset(dataset)]


def test_beside_true_labels_there_is_one_metainfo(pool: Path, truth: str, tmp_path: Path) -> None:
    labeled = ClassSpaceDataset({'type': 'mmdet.CocoDataset', 'ann_file': truth}, toys.STUDENT)
    metainfo = {'classes': list(toys.STUDENT)}
    images = UnlabeledImages(data_prefix={'img': str(pool)}, metainfo=metainfo, lazy_init=True)
    both = ConcatDataset([_build(_config(pool, tmp_path)), labeled, images], lazy_init=True)
    assert both.metainfo['classes'] == toys.STUDENT


def test_instances_are_the_teachers(
    pool: Path, tmp_path: Path, drawn: list[dict[str, Any]]
) -> None:
    dataset = _build(_config(pool, tmp_path))
    for index, picture in enumerate(drawn):
        instances = dataset.get_data_info(index)['instances']
        found = {
            toys.STUDENT[each['bbox_label']]: [round(x) for x in each['bbox']] for each in instances
        }
        assert found == picture['boxes']
        assert all(each['ignore_flag'] == 0 and each['score'] > 0.5 for each in instances)


def test_boxes_of_the_ignore_band_are_flagged(pool: Path, tmp_path: Path) -> None:
    bands = {'type': 'mmcompose.ScoreBands', 'keep': 1.0, 'ignore': 0.3}
    steps = [*toys.LABEL_PIPELINE[:2], bands]
    made = Composition.from_config(toys.composition(tmp_path, label_pipeline=steps)).resolved
    instances = _build(_config(pool, tmp_path, composition=made)).get_data_info(0)['instances']
    assert [each['ignore_flag'] for each in instances] == [1, 1, 1]


def test_a_loop_over_the_dataset_ends(pool: Path, tmp_path: Path) -> None:
    dataset = _build(_config(pool, tmp_path))
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_an_image_without_labels_stays_as_a_negative(pool: Path, tmp_path: Path) -> None:
    dataset = _build(_config(pool, tmp_path))
    assert len(dataset) == 8
    assert dataset.get_data_info(3)['instances'] == []


@pytest.mark.parametrize('wrapped', [False, True], ids=['plain', 'in ConcatDataset'])
def test_lengths_never_depend_on_labels(
    pool: Path, truth: str, tmp_path: Path, wrapped: bool
) -> None:
    inner: dict[str, Any] = {
        'type': 'CocoDataset',
        'ann_file': truth,
        'data_prefix': {'img': str(pool)},
        'metainfo': {'classes': ('blue', 'red', 'green')},
        'filter_cfg': {'filter_empty_gt': True, 'min_size': 1000},
    }
    if wrapped:
        inner = {'type': 'ConcatDataset', 'datasets': [inner]}
    dataset = _build(_config(pool, tmp_path, dataset=inner, composition=_strict(tmp_path)))
    assert len(dataset) == 8
    assert all(dataset.get_data_info(index)['instances'] == [] for index in range(8))


def test_two_pools_are_one_after_the_other(pool: Path, tmp_path: Path) -> None:
    other = tmp_path / 'other'
    toys.draw(other, 2, empty=[0])
    for path in list(other.iterdir()):
        path.rename(other / f'other-{path.name}')
    pools = [
        {'type': 'mmcompose.UnlabeledImages', 'data_prefix': {'img': str(p)}} for p in (other, pool)
    ]
    config = _config(pool, tmp_path, dataset={'type': 'ConcatDataset', 'datasets': pools})
    dataset = _build(config)
    counts = [len(dataset.get_data_info(index)['instances']) for index in range(10)]
    assert counts == [0, 3, 3, 3, 3, 0, 3, 3, 3, 3]
    assert len(dataset.get_data_info(-5)['instances']) == 0


def test_two_images_with_one_key_are_an_error(pool: Path, tmp_path: Path) -> None:
    one = {'type': 'mmcompose.UnlabeledImages', 'data_prefix': {'img': str(pool)}}
    twice = {'type': 'ConcatDataset', 'datasets': [one, one]}
    dataset = _build(_config(pool, tmp_path, dataset=twice))
    with pytest.raises(UserError, match='listed twice'):
        dataset.full_init()


def test_the_wrapped_pipeline_moves_to_the_wrapper(pool: Path, tmp_path: Path) -> None:
    config = _config(pool, tmp_path)
    config['dataset']['pipeline'] = [{'type': 'LoadImageFromFile'}]
    del config['pipeline']
    item = _build(config)[0]
    assert item['img'].shape == (64, 96, 3)
    assert len(item['instances']) == 3


def test_the_pipeline_that_all_parts_of_a_pool_have_moves_to_the_wrapper(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    part = {'type': 'CocoDataset', 'ann_file': truth, 'data_prefix': {'img': str(pool)},
            'pipeline': [{'type': 'LoadImageFromFile'}]}  # fmt: skip
    parts = [{**part, 'indices': [0, 1]}, {**part, 'indices': [2]}]
    config = _config(pool, tmp_path, dataset={'type': 'ConcatDataset', 'datasets': parts})
    config['dataset'] = {'type': 'RepeatDataset', 'times': 1, 'dataset': config['dataset']}
    del config['pipeline']
    (step,) = _build(config).pipeline.transforms
    assert type(step).__name__ == 'LoadImageFromFile'
    parts[1]['pipeline'] = []
    expected = (
        r'^PseudoLabeledDataset\.dataset\.dataset\.datasets\[1\]\.pipeline: differs from '
        r'PseudoLabeledDataset\.dataset\.dataset\.datasets\[0\]\.pipeline, .*; set its pipeline'
    )
    with pytest.raises(UserError, match=expected):
        _build(config)


def test_a_part_of_a_pool_has_the_labels_that_were_made_of_the_whole(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    whole = _build(_config(pool, tmp_path / 'store'))
    whole.full_init()
    made = set((tmp_path / 'store').rglob('*.parquet'))
    (tmp_path / 'part.txt').write_text('006.png\n003.png\n001.png\n')
    prefix = {'img': str(pool)}
    part = {
        'type': 'mmcompose.UnlabeledImages',
        'ann_file': str(tmp_path / 'part.txt'),
        'data_prefix': prefix,
    }
    images = {'type': 'mmcompose.UnlabeledImages', 'data_prefix': prefix}
    dataset = _build({**_config(pool, tmp_path / 'store', dataset=part), 'pool': images})
    assert len(dataset) == 3
    for index, row in enumerate((6, 3, 1)):
        expected = whole.get_data_info(row)['instances']
        assert dataset.get_data_info(index)['instances'] == expected
        assert len(expected) == (0 if row == 3 else 3)
    assert dataset.count_boxes().tolist() == [[2, 0]] * 3
    assert set((tmp_path / 'store').rglob('*.parquet')) == made


def test_an_image_that_is_not_in_the_pool_is_told(pool: Path, tmp_path: Path) -> None:
    (tmp_path / 'pool.txt').write_text('000.png\n')
    images = {
        'type': 'mmcompose.UnlabeledImages',
        'ann_file': str(tmp_path / 'pool.txt'),
        'data_prefix': {'img': str(pool)},
    }
    dataset = _build({**_config(pool, tmp_path / 'store'), 'pool': images})
    with pytest.raises(UserError, match=r"PseudoLabeledDataset.pool: '001.png' is not in it"):
        dataset.full_init()


def test_another_picture_of_the_same_name_in_the_pool_is_told(pool: Path, tmp_path: Path) -> None:
    other = tmp_path / 'other'
    toys.draw(other, 2, empty=[0, 1])
    images = [
        {'type': 'mmcompose.UnlabeledImages', 'data_prefix': {'img': str(folder)}}
        for folder in (other, pool)
    ]
    dataset = _build({**_config(pool, tmp_path / 'store', dataset=images[0]), 'pool': images[1]})
    told = r"PseudoLabeledDataset.pool: '000.png' is another picture than that of dataset"
    with pytest.raises(UserError, match=told):
        dataset.full_init()


@pytest.mark.parametrize('lacks', ['annotations', 'categories', 'area', 'width'])
def test_of_a_coco_json_the_images_are_enough(
    lacks: str, pool: Path, truth: str, tmp_path: Path
) -> None:
    content = json.loads(Path(truth).read_text())
    content.pop(lacks, None)
    for each in (*content['images'], *content.get('annotations', ())):
        each.pop(lacks, None)
    (tmp_path / 'some.json').write_text(json.dumps(content))
    inner = {
        'type': 'CocoDataset',
        'ann_file': 'some.json',
        'data_root': str(tmp_path),
        'data_prefix': {'img': str(pool)},
    }
    dataset = _build(_config(pool, tmp_path / 'store', dataset=inner))
    assert len(dataset) == 8
    assert len(dataset.get_data_info(0)['instances']) == 3


def test_labels_do_not_travel_to_data_loader_workers(pool: Path, tmp_path: Path) -> None:
    dataset = _build(_config(pool, tmp_path))
    dataset.full_init()
    assert len(pickle.dumps(dataset.labels)) < 500


def test_boxes_are_counted_by_class_and_band(pool: Path, tmp_path: Path) -> None:
    assert _build(_config(pool, tmp_path)).count_boxes().tolist() == [[7, 0]] * 3


def test_a_subset_has_the_labels_of_its_pictures(pool: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'pool'
    shutil.copytree(pool, folder)
    (folder / '002.png').write_bytes(b'no picture')
    composition = Composition.from_config(toys.composition(tmp_path, max_unreadable=0.2)).resolved
    whole = _build(_config(folder, tmp_path, composition=composition))
    expected = [(each['img_path'], each['instances']) for each in whole]
    subset = whole.get_subset([3, -1]).get_subset([1, 0])
    assert [(each['img_path'], each['instances']) for each in subset] == [
        expected[-1], expected[3],
    ]  # fmt: skip
    assert [each['sample_idx'] for each in subset] == [0, 1]
    assert subset.count_boxes().sum() == sum(len(expected[each][1]) for each in (-1, 3))
    assert len(whole) == 7 and len(whole.get_subset(-2)) == 2
    whole.get_subset_(3)
    assert [each['img_path'] for each in whole] == [path for path, _ in expected[:3]]
    with pytest.raises(UserError, match=r'^PseudoLabeledDataset\.indices: 3 is the index of no'):
        whole.get_subset([3])


def test_a_picture_that_cannot_be_read_is_in_no_batch(pool: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'pool'
    shutil.copytree(pool, folder)
    # Its header is sound: only who decodes it finds out.
    whole = (folder / '002.png').read_bytes()
    (folder / '002.png').write_bytes(whole[:60])
    resolved = Composition.from_config(toys.composition(tmp_path, max_unreadable=0.2)).resolved
    dataset = _build(_config(folder, tmp_path, composition=resolved))
    assert len(dataset) == 7
    infos = [dataset.get_data_info(index) for index in range(7)]
    assert [Path(info['img_path']).name for info in infos] == [
        f'{number:03d}.png' for number in range(8) if number != 2
    ]
    assert [info['sample_idx'] for info in infos] == list(range(7))
    whole_pool = _build(_config(pool, tmp_path / 'whole'))
    rows = [row for row in range(8) if row != 2]
    expected = [whole_pool.get_data_info(row)['instances'] for row in rows]
    assert [info['instances'] for info in infos] == expected
    assert dataset.count_boxes().tolist() == [[6, 0]] * 3
    with pytest.raises(IndexError):
        dataset.get_data_info(7)


def test_a_config_that_was_not_resolved_is_told_what_it_needs(pool: Path) -> None:
    with pytest.raises(UserError, match='runner_type'):
        PseudoLabeledDataset({'type': 'mmcompose.UnlabeledImages'}, metainfo={})
