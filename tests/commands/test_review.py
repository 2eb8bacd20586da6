"""Tests of a review: the pictures of most disagreement go out, truth comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmdet.datasets import CocoDataset
from mmengine.config import Config

from mmcompose.commands.review import export_review, import_review
from mmcompose.composition import Composition
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


def test_a_review_is_not_written_over(pool: Path, truth: str, tmp_path: Path) -> None:
    config = student_config(pool, truth, tmp_path)
    reviewed = tmp_path / 'reviewed.json'
    reviewed.write_text('an hour of work')
    with pytest.raises(
        UserError, match=r"^out: '\S*reviewed\.json' is there already; name another"
    ):
        import_review(config, truth, 'coco', str(reviewed))
    assert reviewed.read_text() == 'an hour of work'


def _names(path: Path | str) -> list[str]:
    return [each['file_name'] for each in json.loads(Path(path).read_text())['images']]


def _as_source(config: Config, labeled: dict[str, Any]) -> None:
    loader = config.train_dataloader
    again = {'type': 'RepeatDataset', 'times': 2, 'dataset': labeled}
    loader.dataset = {'type': 'mmcompose.MixedDataset', 'datasets': [again, loader.dataset]}


def _as_truth(config: Config, labeled: dict[str, Any]) -> None:
    config.train_dataloader.dataset.truth = labeled


@pytest.mark.parametrize('add', [_as_source, _as_truth])
def test_a_second_round_takes_other_pictures(
    add: Callable[[Config, dict[str, Any]], None], pool: Path, truth: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    logged: list[str] = []
    monkeypatch.setattr('mmcompose.commands.review.log', logged.append)
    config = student_config(pool, truth, tmp_path)
    first = export_review(config, 'coco', str(tmp_path / 'review.json'), count=5)
    reviewed = import_review(config, str(first), 'coco', str(tmp_path / 'reviewed.json'))
    add(config, {'type': 'CocoDataset', 'ann_file': str(reviewed),
                 'data_prefix': {'img': f'{pool}/'}})  # fmt: skip
    second = export_review(config, 'coco', str(tmp_path / 'review2.json'), count=8)
    assert sorted(_names(first) + _names(second)) == sorted(_names(truth))
    assert '3 of 8 pictures to be reviewed (5 have true labels and are left out)' in logged[-1]
    # Nothing is left when these are reviewed too, and no teacher predicts to find that out.
    monkeypatch.delattr(Composition, 'labels')
    add(config, {'type': 'CocoDataset', 'ann_file': truth, 'data_prefix': {'img': str(pool)}})
    with pytest.raises(UserError, match='has true labels of all 8 pictures of the pool'):
        export_review(config, 'coco', str(tmp_path / 'review3.json'))


def test_pictures_labeled_in_part_or_of_another_folder_are_reviewed(
    pool: Path, truth: str, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    red = toys.write_coco(tmp_path / 'red.json', drawn, {4: 'red'})
    _as_truth(config, {'type': 'CocoDataset', 'ann_file': red, 'data_prefix': {'img': str(pool)}})
    toys.draw(tmp_path / 'other', 8)
    other = {'img': str(tmp_path / 'other')}
    _as_source(config, {'type': 'CocoDataset', 'ann_file': truth, 'data_prefix': other})
    path = export_review(config, 'coco', str(tmp_path / 'review.json'))
    assert sorted(_names(path)) == sorted(_names(truth))


def test_unreadable_pictures_are_told_from_labeled_ones(
    drawn: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr('mmcompose.commands.review.log', logged.append)
    pool = tmp_path / 'pool'
    toys.draw(pool, 8)
    truth = toys.write_coco(tmp_path / 'truth.json', drawn[:5], dict(enumerate(toys.STUDENT, 1)))
    config = student_config(pool, truth, tmp_path)
    config.composition.max_unreadable = 0.9
    _as_truth(config, {'type': 'CocoDataset', 'ann_file': truth, 'data_prefix': {'img': str(pool)}})
    broken = [pool / f'{number:03d}.png' for number in (4, 5, 6, 7)]
    for path in broken[:3]:
        path.write_bytes(path.read_bytes()[:-60])
    export_review(config, 'coco', str(tmp_path / 'review.json'))
    assert '1 of 8 pictures to be reviewed (4 have true labels and are left out)' in logged[-1]
    broken[3].write_bytes(broken[3].read_bytes()[:-60])
    expected = 'has true labels of 5 of 8 pictures of the pool, and the others cannot be read'
    with pytest.raises(UserError, match=expected):
        export_review(config, 'coco', str(tmp_path / 'review2.json'))


def test_pictures_that_a_teacher_did_not_predict_on_do_not_go_first(
    pool: Path, truth: str, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    config.composition.teachers.second = toys.replayed(tmp_path, drawn[6:])
    path = export_review(config, 'coco', str(tmp_path / 'review.json'), count=2)
    assert sorted(_names(path)) == ['006.png', '007.png']
