"""Tests of a review: the pictures of most disagreement go out, truth comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmdet.datasets import CocoDataset

from mmcompose.commands.review import export_review, import_review
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import student_config


def test_the_most_doubtful_pictures_go_out_and_come_back_as_truth(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    path = export_review(config, 'coco', str(tmp_path / 'review.json'), count=3)
    exported = json.loads(path.read_text())
    assert len(exported['images']) == 3
    # Somebody deletes a box, and moves another.
    removed = exported['annotations'].pop()
    exported['annotations'][0]['bbox'] = [1, 2, 30, 40]
    path.write_text(json.dumps(exported))
    reviewed = import_review(config, str(path), 'coco', str(tmp_path / 'reviewed.json'))
    content = json.loads(reviewed.read_text())
    assert content['info']['source'] == 'coco' and content['info']['fingerprint']
    dataset = CocoDataset(
        ann_file=str(reviewed), data_prefix={'img': str(pool)}, metainfo={'classes': toys.STUDENT}
    )
    assert len(dataset) == 3
    boxes = [each['bbox'] for info in dataset for each in info['instances']]
    assert [1.0, 2.0, 31.0, 42.0] in boxes
    assert removed['bbox'] not in boxes and len(boxes) == len(exported['annotations'])
    # Corrections may stand where it went.
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"^out: '\S*review\.json' is there already"):
        export_review(config, 'coco', str(path), count=3)
    assert path.read_bytes() == before
