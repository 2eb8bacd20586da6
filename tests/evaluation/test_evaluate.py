"""Tests of the composition table on drawn pictures that the toy teachers see perfectly."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from mmcompose.commands.evaluate import evaluate_config
from mmcompose.composition import Composition
from mmcompose.engine import resolve
from mmcompose.evaluation import (
    CompositionTable,
    Row,
    Scores,
    class_groups,
    composition_table,
    per_class_table,
)
from mmcompose.teachers import FunctionTeacher
from mmcompose.teachers.mmdet.model import build_model
from mmcompose.utils import UserError
from tests import mask_rcnn, toys
from tests.engine.toys import student_config


def _student(folder: Path, pool: Path, truth: str, classes: tuple[str, ...]) -> str:
    model = build_model(resolve(student_config(pool, truth, folder)).config)
    path = folder / 'student.pth'
    meta = {'dataset_meta': {'classes': classes}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, path)
    return str(path)


@pytest.fixture(scope='module')
def table(pool: Path, truth: str, tmp_path_factory: pytest.TempPathFactory) -> CompositionTable:
    folder = tmp_path_factory.mktemp('evaluate')
    student = _student(folder, pool, truth, toys.STUDENT)
    return evaluate_config(student_config(pool, truth, folder), student=student, oracle=student)


def test_there_is_a_row_for_each_detector(table: CompositionTable) -> None:
    assert [row.name for row in table.rows] == ['first', 'second', 'fused', 'student', 'oracle']


def test_a_teacher_scores_on_its_own_classes_alone(table: CompositionTable) -> None:
    first = table.rows[0].scores
    assert first.by_class == {'green': 1, 'red': 1, 'blue': 0}
    assert first.mAP == pytest.approx(2 / 3, abs=0.01)


def test_fused_labels_know_what_both_know(table: CompositionTable) -> None:
    assert table.rows[2].scores.mAP == 1


def test_classes_are_grouped_by_who_knows_them(table: CompositionTable) -> None:
    groups = {'only first': ['green'], 'only second': ['blue'], 'shared': ['red']}
    assert table.groups == groups


def test_a_class_that_no_teacher_knows_has_a_group_of_its_own(tmp_path: Path) -> None:
    space = {'classes': [*toys.STUDENT, 'violet']}
    made = Composition.from_config(toys.composition(tmp_path, class_space=space))
    assert class_groups(made)['no owner'] == ['violet']


def test_parameters_and_time_are_told_where_they_are_known(table: CompositionTable) -> None:
    first, student = table.rows[0], table.rows[3]
    assert first.num_parameters is None
    assert student.num_parameters and student.num_parameters > 1000
    assert all(row.milliseconds > 0 for row in table.rows)


def test_the_fused_row_counts_what_looks_at_the_pictures(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FunctionTeacher, 'num_parameters', 1000)
    config = student_config(pool, truth, tmp_path)
    config.composition.label_pipeline = [
        *toys.LABEL_PIPELINE[:2],
        {'type': 'mmcompose.AppearanceCheck'},
        toys.LABEL_PIPELINE[2],
    ]
    rows = evaluate_config(config).rows
    assert [row.num_parameters for row in rows[:2]] == [1000, 1000]
    assert (rows[2].num_parameters or 0) > 1_000_000


def test_pictures_that_cannot_be_read_are_in_no_row(truth: str, tmp_path: Path) -> None:
    pool = tmp_path / 'pool'
    toys.draw(pool, 8, empty=[3])
    for number in (0, 5):
        (pool / f'{number:03d}.png').write_bytes(b'no picture')
    student = _student(tmp_path, pool, truth, toys.STUDENT)
    config = student_config(pool, truth, tmp_path)
    config.composition.max_unreadable = 0.5
    table = evaluate_config(config, student=student)
    assert table.rows[2].scores.mAP == 1
    assert table.diagnoses['fused'].errors['missed'] == 0


def test_a_validation_set_without_a_true_box_is_refused(tmp_path: Path) -> None:
    pool = tmp_path / 'pool'
    truth = toys.write_coco(tmp_path / 'none.json', toys.draw(pool, 4, range(4)), {1: 'red'})
    with pytest.raises(UserError, match=r'^val_dataloader.dataset: labels no box of a class of'):
        evaluate_config(student_config(pool, truth, tmp_path))
    assert not (tmp_path / 'store' / 'predictions').exists()


def test_a_row_is_of_the_pictures_that_a_teacher_predicted_on(tmp_path: Path) -> None:
    drawn = toys.draw(tmp_path / 'pool', 6)
    truth = toys.write_coco(tmp_path / 'truth.json', drawn, dict(enumerate(toys.STUDENT, start=1)))
    some = toys.replayed(tmp_path, drawn[:2])
    config = student_config(tmp_path / 'pool', truth, tmp_path)
    config.composition.teachers = {'first': toys.TEACHERS['first'], 'some': some}
    for _ in range(2):
        table = evaluate_config(config)
        first, row, _ = table.rows
        assert (first.label, row.label) == ('first', 'some (2 of 6 pictures)')
        assert row.scores.AP50 == pytest.approx(2 / 3, abs=0.01)
        assert table.diagnoses['some'].errors['missed'] == 0
        assert table.diagnoses['some'].errors['right'] == 4
        assert table.to_dict()['rows']['some']['pictures'] == [2, 6]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(composition_table(table), per_class_table(table))
    assert console.export_text().count('some (2 of 6 pictures)') == 2


def test_a_teacher_that_predicted_on_no_picture_has_no_score(tmp_path: Path) -> None:
    drawn = toys.draw(tmp_path / 'pool', 6)
    truth = toys.write_coco(tmp_path / 'truth.json', drawn, dict(enumerate(toys.STUDENT, start=1)))
    validated = json.loads(Path(truth).read_text())
    validated['images'] = validated['images'][2:]
    validated['annotations'] = [a for a in validated['annotations'] if a['image_id'] > 2]
    Path(truth).write_text(json.dumps(validated))
    config = student_config(tmp_path / 'pool', truth, tmp_path)
    some = toys.replayed(tmp_path, drawn[:2])
    config.composition.teachers = {'first': toys.TEACHERS['first'], 'some': some}
    # What is stored is not compared with the teacher's list again.
    made = Composition.from_config(config.composition.to_dict())
    made.labels(toys.images_in(tmp_path / 'pool'))
    table = evaluate_config(config)
    assert table.rows[1].label == 'some (0 of 4 pictures)'
    assert math.isnan(table.rows[1].scores.mAP) and not math.isnan(table.rows[0].scores.mAP)
    assert sum(table.diagnoses['some'].errors.values()) == 0


def test_true_boxes_without_a_mask_are_counted_once(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.evaluation.scoring.warn', told.append)
    path = tmp_path / 'truth.json'
    truth = toys.write_coco(path, drawn, dict(enumerate(toys.STUDENT, start=1)), masks=True)
    config = student_config(pool, truth, tmp_path)
    config.composition.teachers = mask_rcnn.TEACHERS
    assert evaluate_config(config).has_masks and told == []
    content = json.loads(path.read_text())
    content['annotations'][0].pop('segmentation')
    path.write_text(json.dumps(content))
    assert not evaluate_config(config).has_masks
    assert told == ['mask AP is left out: 1 of 21 true boxes have no mask']


def test_both_tables_render_and_are_json(table: CompositionTable) -> None:
    plain = json.loads(json.dumps(table.to_dict()))
    assert plain['rows']['first']['only second'] == 0
    assert plain['per_class']['fused']['red'] == 1
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(composition_table(table), per_class_table(table))
    text = console.export_text()
    assert 'only first (1)' in text and 'blue' in text


def test_a_figure_that_there_is_not_is_null_in_json() -> None:
    scores = Scores(mAP=0.5, AP50=0.5, by_class={'red': 0.5, 'blue': math.nan})
    table = CompositionTable([Row('first', scores, None, 1.0)], {'shared': ['blue']})
    plain = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert plain['per_class']['first'] == {'red': 0.5, 'blue': None}
    assert plain['rows']['first']['shared'] is None


def test_the_score_floor_is_the_same_for_every_row(pool: Path, truth: str, tmp_path: Path) -> None:
    # The toy teachers never say more than 0.99.
    rows = evaluate_config(student_config(pool, truth, tmp_path), score_floor=0.995).rows
    assert [row.scores.mAP for row in rows] == [0, 0, 0]
    assert not any(math.isnan(row.scores.mAP) for row in rows)


def test_an_onnx_file_of_another_student_has_no_row(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.commands.export_student.warn', told.append)
    student = _student(tmp_path, pool, truth, toys.STUDENT)
    (tmp_path / 'student.onnx').write_bytes(b'of something else')
    table = evaluate_config(student_config(pool, truth, tmp_path), student=student)
    assert [row.name for row in table.rows] == ['first', 'second', 'fused', 'student']
    assert len(told) == 1 and 'student.onnx is left out' in told[0]


@pytest.mark.parametrize('name', ['student', 'oracle'])
def test_a_checkpoint_of_other_classes_is_told_before_any_work(
    name: str, pool: Path, truth: str, tmp_path: Path
) -> None:
    wrong = _student(tmp_path, pool, truth, tuple(reversed(toys.STUDENT)))
    with pytest.raises(UserError, match=rf'{name}\.checkpoint: .*other classes'):
        evaluate_config(student_config(pool, truth, tmp_path), **{name: wrong})
    assert not (tmp_path / 'store').exists()


def test_a_missing_checkpoint_is_told_before_any_work(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r'student\.checkpoint: .*is no file'):
        evaluate_config(student_config(pool, truth, tmp_path), student=str(tmp_path / 'none.pth'))
    assert not (tmp_path / 'store').exists()
