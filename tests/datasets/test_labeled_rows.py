"""Tests of which pictures of a pool need no person any more."""

from __future__ import annotations

import importlib
from os.path import realpath
from pathlib import Path
from typing import Any

import pytest

from mmcompose.datasets import labeled_rows
from mmcompose.store import ImageTable
from mmcompose.structures import Image
from tests import toys


def test_pictures_are_the_same_through_links_and_few_paths_are_looked_up(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'folder').symlink_to(pool)
    renamed, other = tmp_path / 'renamed.png', tmp_path / 'other.png'
    renamed.symlink_to(pool / '001.png')
    other.symlink_to(tmp_path / '001.png')
    paths = [*sorted((tmp_path / 'folder').glob('*.png')), renamed, other, tmp_path / '002.png']
    images = ImageTable.of([Image(str(path), str(path), 96, 64) for path in paths])
    looked_up: list[str] = []

    def counted(path: str) -> str:
        looked_up.append(path)
        return realpath(path)

    def made(images: ImageTable, row: Any) -> Image:
        raise AssertionError('makes an image of each row')

    module = importlib.import_module('mmcompose.datasets.labeled_rows')
    monkeypatch.setattr(module, 'realpath', counted)
    monkeypatch.setattr(ImageTable, '__getitem__', made)
    coco = {'type': 'CocoDataset', 'ann_file': truth, 'data_prefix': {'img': str(pool)}}
    config = {'type': 'mmcompose.ClassSpaceDataset', 'dataset': coco, 'classes': toys.STUDENT}
    assert labeled_rows(config, images, 3) == frozenset(range(9))
    # Three folders, and two links.
    assert len(looked_up) == 5
