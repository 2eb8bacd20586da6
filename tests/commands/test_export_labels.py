"""Tests of the labels of a config in other formats."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mmcompose.commands.export_labels import export_labels
from mmcompose.utils import UserError
from tests.engine.toys import student_config


def test_the_pool_is_labelled_and_exported(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    table = pq.read_table(export_labels(config, 'parquet', str(tmp_path / 'labels.parquet')))
    voters = {tuple(row['votes']) for row in table.to_pylist() if row['class'] == 'red'}
    assert voters == {('first', 'second')}
    coco = json.loads(export_labels(config, 'coco', str(tmp_path / 'labels.json')).read_text())
    assert len(coco['images']) == 8 and len(coco['annotations']) == len(table)
    with pytest.raises(UserError, match='--to'):
        export_labels(config, 'jolo')
