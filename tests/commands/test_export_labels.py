"""Tests of the labels of a config in other formats."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mmcompose.commands.export_labels import export_labels
from mmcompose.commands.label import label
from mmcompose.utils import UserError
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
