"""The worlds benchmark: what its teachers see, and how labels are held against the truth."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ensemble_boxes import weighted_boxes_fusion

from mmcompose.class_space import ClassSpace
from mmcompose.evaluation import score
from mmcompose.labeling import ImageContext, judge
from mmcompose.structures import Detections, Image
from tests.labeling.toys import found

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'benchmarks'))

import world_data
import world_measures
import world_rivals
import world_students
import world_tables
import world_teachers

PLACES = np.array([[0, 0, 40, 40], [4, 4, 44, 44], [50, 50, 90, 90], [60, 50, 95, 90]], float)


def scattered(seed: int, count: int = 12, classes: int = 3) -> Detections:
    """Boxes on and beside a few places, of any class."""
    rng = np.random.default_rng(seed)
    corners = PLACES[rng.integers(len(PLACES), size=count)] + rng.uniform(-5, 5, (count, 4))
    return Detections.from_arrays(
        corners, rng.uniform(0.02, 0.99, count), rng.integers(classes, size=count)
    )


@pytest.fixture
def truth_boxes() -> list[Detections]:
    """Of 20 pictures; a quarter of the true boxes are difficult."""
    every = [scattered(100 + row, count=4) for row in range(20)]
    rng = np.random.default_rng(0)
    return [replace(each, ignore=rng.uniform(size=len(each)) < 0.25) for each in every]


@pytest.fixture
def predicted() -> list[Detections]:
    return [scattered(row) for row in range(20)]


def coco(names: list[str], boxes: dict[int, list[str]]) -> dict[str, Any]:
    ids = {name: number for number, name in enumerate(names, start=7)}
    annotations = [
        {'id': 0, 'image_id': image, 'category_id': ids[name]}
        for image, there in boxes.items()
        for name in there
    ]
    return {
        'images': [{'id': image} for image in boxes],
        'annotations': annotations,
        'categories': [{'id': number, 'name': name} for name, number in ids.items()],
    }


def test_a_teacher_sees_no_annotated_box_of_another():
    files = [
        coco(['cat', 'car', 'person'], {1: ['cat'], 2: ['cat', 'car'], 3: ['cat', 'person']}),
        coco(['dog', 'cat'], {4: ['dog', 'cat', 'dog'], 5: []}),
    ]
    content = world_teachers.selected(files, world_teachers.Recipe(('dog', 'cat'), ('car',)))
    assert [image['id'] for image in content['images']] == [1, 3, 4]
    # By the recipe's order; the person of picture 3 stays without a label.
    assert [box['category_id'] for box in content['annotations']] == [2, 2, 1, 2, 1]
    assert [box['id'] for box in content['annotations']] == [1, 2, 3, 4, 5]


def test_strangers_share_no_class_and_leave_out_one_another():
    recipes = [world_teachers.RECIPES[name] for name in world_teachers.STRANGERS]
    classes = [name for recipe in recipes for name in recipe.classes]
    assert len(classes) == len(set(classes)) == 19
    assert all({*recipe.classes, *recipe.without} == set(classes) for recipe in recipes)
    assert not any(set(recipe.classes) & set(recipe.without) for recipe in recipes)


def test_few_pictures_are_seen_more_often():
    recipe = world_teachers.Recipe(('cat',), steps=200)
    assert world_teachers.epochs_of(recipe, 50) == 50
    assert world_teachers.epochs_of(recipe, 1000) == 6


def test_the_spoiled_teacher_is_one_of_the_world_and_the_useless_is_not():
    for spec in world_data.WORLDS.values():
        assert spec.spoiled in spec.teachers
        assert spec.useless not in spec.teachers
        variant = spec.with_useless()
        assert len(variant.classes) == len(set(variant.classes)) > len(spec.classes)


def test_the_generalist_lacks_eight_classes_and_a_specialist_knows_one_of_them():
    spec = world_data.WORLDS['generalist and specialist']
    assert len(world_data.FORGOTTEN) == 8
    assert len(spec.classes) == 13
    assert world_data.ADDED in spec.classes


def test_predictions_come_back_from_their_file(tmp_path, predicted):
    keys = [f'{row}.jpg' for row in range(20)]
    # One picture without a box.
    predicted[3] = Detections()
    raw = world_data.Raw(keys, predicted, ('a', 'b', 'c'))
    raw.save(tmp_path / 'raw.npz')
    back = world_data.Raw.load(tmp_path / 'raw.npz')
    assert back.keys == keys
    assert back.classes == ('a', 'b', 'c')
    for each, other in zip(predicted, back.found, strict=True):
        np.testing.assert_array_equal(each.boxes, other.boxes)
        np.testing.assert_array_equal(each.labels, other.labels)


def test_what_pictures_look_like_comes_back_too(tmp_path):
    cells = replace(scattered(0, count=4), features=np.eye(4, 3, dtype=np.float16))
    world_data.Raw(['k'], [cells], ()).save(tmp_path / 'looks.npz')
    (back,) = world_data.Raw.load(tmp_path / 'looks.npz').found
    np.testing.assert_array_equal(back.features, cells.features)


def test_students_teachers_replay_what_was_predicted():
    boxes = [found(([10, 20, 40, 60], 0.5, 1)), Detections()]
    pictures = world_data.Pictures(
        [Image('a.jpg', '', 100, 80), Image('b.jpg', '', 50, 50)], [], ()
    )
    raw = world_data.Raw(['a.jpg', 'b.jpg'], boxes, ('cat', 'dog'))
    images, results = world_students.results_of(raw, pictures)
    assert [each['file_name'] for each in images['images']] == ['a.jpg', 'b.jpg']
    assert results == [{'image_id': 1, 'category_id': 2, 'bbox': [10, 20, 30, 40], 'score': 0.5}]
    assert images['categories'][1] == {'id': 2, 'name': 'dog'}


def test_an_oracle_learns_the_students_classes_alone():
    content = world_students.in_classes(coco(['cat', 'car'], {1: ['cat', 'car']}), ['dog', 'cat'])
    assert content['categories'] == [{'id': 1, 'name': 'dog'}, {'id': 2, 'name': 'cat'}]
    assert [box['category_id'] for box in content['annotations']] == [2]
    assert len(content['images']) == 1


def test_boxes_are_judged_as_everywhere(predicted, truth_boxes):
    truth = world_measures.Truth.of(truth_boxes, np.eye(3, dtype=bool))
    judged = truth.judge(world_measures.Boxes.of(predicted))
    verdicts = [
        judge(each.sorted(), there) for each, there in zip(predicted, truth_boxes, strict=True)
    ]
    expected = np.concatenate(verdicts)
    np.testing.assert_array_equal(judged.right, expected[expected >= 0] == 1)


def test_average_precision_is_that_of_coco(predicted, truth_boxes):
    infos = [
        {
            'height': 100,
            'width': 100,
            'instances': [
                {'bbox': box, 'bbox_label': label, 'ignore_flag': int(ignore)}
                for box, label, ignore in zip(
                    each.boxes.tolist(), each.labels.tolist(), each.is_ignored, strict=True
                )
            ],
        }
        for each in truth_boxes
    ]
    expected = score(infos, predicted, ('x', 'y', 'z')).by_class
    truth = world_measures.Truth.of(truth_boxes, np.eye(3, dtype=bool))
    found = truth.average_precision(world_measures.Boxes.of(predicted))
    # CocoMetric rounds to three digits.
    np.testing.assert_allclose(found, list(expected.values()), atol=6e-4)
    assert 0.01 < found.mean() < 0.99


def test_the_best_threshold_is_that_of_trying_each(predicted, truth_boxes):
    truth = world_measures.Truth.of(truth_boxes, np.eye(3, dtype=bool))
    judged = truth.judge(world_measures.Boxes.of(predicted))
    tried = [judged.figures(judged.scores >= each)['f1'] for each in world_measures.GRID]
    np.testing.assert_allclose(judged.f1_by_threshold().mean(axis=0), tried)


def test_a_threshold_by_class_is_no_worse_than_one(predicted, truth_boxes):
    truth = world_measures.Truth.of(truth_boxes, np.eye(3, dtype=bool))
    boxes = world_measures.Boxes.of(predicted)
    one = world_rivals.one_threshold(boxes, truth, {})
    by_class = world_rivals.threshold_by_class(boxes, truth, {})
    assert by_class.f1 >= one.f1
    assert by_class.figures['f1'] == pytest.approx(by_class.f1)


def test_the_best_of_any_class_leaves_one_box_a_place():
    boxes = world_measures.Boxes.of(
        [found(([0, 0, 40, 40], 0.9, 0), ([0, 0, 40, 39], 0.8, 1), ([50, 50, 90, 90], 0.1, 1))]
    )
    assert boxes.best_of_each_place(0.5, any_class=True).labels.tolist() == [0, 1]
    assert boxes.best_of_each_place(0.5, any_class=False).labels.tolist() == [0, 1, 1]


def test_a_wrong_box_in_anothers_picture_is_astray():
    cat, car = found(([0, 0, 40, 40], 1, 0)), found(([0, 0, 40, 40], 1, 2))
    # One teacher of cats and dogs (0, 1), one of cars (2).
    owners = np.array([[1, 0], [1, 0], [0, 1]], bool)
    truth = world_measures.Truth.of([cat, car, Detections()], owners)
    dog = found(([0, 0, 40, 40], 0.9, 1))
    figures = truth.judge(world_measures.Boxes.of([dog, dog, cat])).figures()
    # Wrong among cats is not astray; among cars, and where nothing is, it is.
    assert figures['wrong in pictures without'] == pytest.approx(2 / 3)
    assert figures['own']['recall'] == 0
    assert figures['others']['f1'] is None


def test_mixed_pictures_are_no_ones_own():
    both = found(([0, 0, 40, 40], 1, 0), ([50, 50, 90, 90], 1, 1))
    truth = world_measures.Truth.of([both, both[:1]], np.eye(2, dtype=bool))
    figures = truth.judge(world_measures.Boxes.of([both, Detections()])).figures()
    assert figures['own'] == {'precision': 0.0, 'recall': 0.0, 'f1': 0.0}
    assert figures['others'] == {'precision': 1.0, 'recall': 1.0, 'f1': 1.0}


def test_the_plain_fusion_is_that_of_ensemble_boxes():
    first, second = scattered(1, classes=2), scattered(2, classes=2)
    space = ClassSpace({'a': ['x', 'y'], 'b': ['x', 'y']})
    fusion = world_rivals.bound([world_rivals.plain_fusion(0.55, owners=False)], space)
    ours = fusion.apply({'a': first, 'b': second}, ImageContext('k', 100, 100))
    boxes, scores, labels = weighted_boxes_fusion(
        [each.boxes.clip(0, 100) / 100 for each in (first, second)],
        [each.scores for each in (first, second)],
        [each.labels for each in (first, second)],
        iou_thr=0.55,
    )
    theirs = Detections.from_arrays(boxes * 100, scores, labels).sorted()
    ours = ours.sorted()
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-5)


def row(f1: float, recall: float = 0.8, **more: Any) -> dict[str, Any]:
    return {'f1': f1, 'recall': recall, 'wrong in pictures without': 0.0, **more}


def test_bars_ask_for_more_where_nothing_is_shared():
    useless = row(0.8, **{'wrong of each teacher': {'cells': 0.02}})
    variants = {
        '': {'default': row(0.80), 'one threshold': row(0.7), 'another': row(0.79, recall=0.9)},
        'useless': {'default': useless, 'one threshold': row(0.805)},
    }
    strangers = world_tables.bars({'strangers': {'variants': variants}})
    assert not strangers['strangers: F1 above the best rival'].ok
    assert not strangers['strangers: recall lost'].ok
    assert strangers['strangers, useless: F1 above the best rival'].ok
    assert not strangers['strangers, useless: wrong boxes of it'].ok
    neighbours = world_tables.bars({'neighbours': {'variants': {'': variants['']}}})
    assert all(bar.ok for bar in neighbours.values())
