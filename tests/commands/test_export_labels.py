"""Tests of the labels of a config in other formats."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mmcompose.commands.export_labels import export_labels
from mmcompose.commands.label import label
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import damaged_config, student_config


def test_the_pool_is_labeled_and_exported(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    table = pq.read_table(export_labels(config, 'parquet', str(tmp_path / 'labels.parquet')))
    voters = {tuple(row['votes']) for row in table.to_pylist() if row['class'] == 'red'}
    assert voters == {('first', 'second')}
    coco = json.loads(export_labels(config, 'coco', str(tmp_path / 'labels.json')).read_text())
    assert len(coco['images']) == 8 and len(coco['annotations']) == len(table)
    with pytest.raises(UserError, match=r'^to: '):
        export_labels(config, 'jolo')


@pytest.mark.parametrize('to', ['coco', 'label --export'])
def test_all_pools_of_a_config_are_exported(
    to: str, pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    first = config.train_dataloader.dataset
    toys.draw(tmp_path / 'other', 5)
    (tmp_path / 'other' / '004.png').rename(tmp_path / 'other' / 'last.png')
    other = copy.deepcopy(first)
    other.dataset.data_prefix.img = str(tmp_path / 'other')
    # The first pool's pictures are written once.
    parts = [first, other, copy.deepcopy(first)]
    config.train_dataloader.dataset = {'type': 'ConcatDataset', 'datasets': parts}
    path = tmp_path / 'labels.json'
    if to == 'label --export':
        label(config, export=str(path))
    else:
        export_labels(config, to, str(path))
    coco = json.loads(path.read_text())
    names = {image['id']: image['file_name'] for image in coco['images']}
    assert len(names) == 13 and 'last.png' in names.values()
    assert {f'{pool.name}/000.png', 'other/000.png', '005.png'} < set(names.values())
    count = Counter(names[each['image_id']] for each in coco['annotations'])
    assert count['other/000.png'] == count[f'{pool.name}/000.png'] > 0 and count['last.png'] > 0


@pytest.mark.parametrize('to', ['coco', 'yolo', 'label --export'])
def test_a_picture_that_cannot_be_read_is_not_exported_as_one_without_objects(
    pool: Path, truth: str, tmp_path: Path, to: str
) -> None:
    config = damaged_config(pool, truth, tmp_path)
    path = tmp_path / 'labels'
    if to == 'label --export':
        label(config, export=str(path))
    else:
        assert export_labels(config, to, str(path)) == path
    if path.is_dir():
        names = [each.with_suffix('.png').name for each in path.rglob('0*.txt')]
    else:
        names = [each['file_name'] for each in json.loads(path.read_text())['images']]
    assert sorted(names) == [f'{number:03}.png' for number in range(8) if number != 2]
