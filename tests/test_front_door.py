"""Tests of what a user meets first: the package's own names, in a few lines of Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import supervision

import mmcompose
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import student_config


def _program(text: str) -> str:
    run = subprocess.run([sys.executable, '-c', text], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_importing_loads_no_torch_and_nothing_before_it_is_used() -> None:
    program = (
        'import sys, mmcompose\n'
        "first = {'torch', 'mmengine', 'cv2', 'numpy'} & set(sys.modules)\n"
        'mmcompose.Detections, mmcompose.ClassSpace, mmcompose.LabelTransform\n'
        'mmcompose.list_label_transforms()\n'
        "print(sorted(first), 'torch' in sys.modules)"
    )
    assert _program(program) == '[] False'


def test_every_public_name_is_found() -> None:
    assert {name for name in mmcompose.__all__ if getattr(mmcompose, name, None) is None} == set()
    assert set(mmcompose.__all__) <= set(dir(mmcompose))
    with pytest.raises(AttributeError, match='Compositoin'):
        _ = mmcompose.Compositoin


def test_a_mistake_is_caught_by_a_public_name(pool: Path) -> None:
    composition = mmcompose.Composition(teachers=toys.TEACHERS, label_pipeline=toys.LABEL_PIPELINE)
    pictures = [str(pool / '000.png'), str(pool / '001.png')]
    with pytest.raises(mmcompose.UserError, match=r'^image: \[.* is no path and no picture'):
        composition.predict(pictures)


def test_kinds_are_listed_by_a_pattern() -> None:
    assert mmcompose.list_teachers('*onnx*') == ['mmcompose.ONNXTeacher']
    assert 'mmcompose.WeightedBoxesFusion' in mmcompose.list_label_transforms('*fusion')
    assert set(mmcompose.list_teachers('*')) == set(mmcompose.list_teachers())


def test_two_teachers_fused_boxes_of_one_picture(pool: Path, tmp_path: Path) -> None:
    composition = mmcompose.Composition(
        teachers=toys.TEACHERS, label_pipeline=toys.LABEL_PIPELINE, store=str(tmp_path / 'none')
    )
    picture = pool / '000.png'
    found = composition.predict(picture)
    assert sorted(composition.classes[label] for label in found.labels) == ['blue', 'green', 'red']
    same = composition.predict(cv2.imread(str(picture)))
    np.testing.assert_array_equal(same.boxes, found.boxes)
    boxes = found.to_supervision(composition.classes)
    assert isinstance(boxes, supervision.Detections)
    np.testing.assert_array_equal(boxes.xyxy, found.boxes)
    assert set(boxes.data['class_name']) == set(toys.STUDENT)
    assert boxes[boxes.data['class_name'] == 'red'].data['votes'].tolist() == [[True, True]]
    assert not (tmp_path / 'none').exists()


def test_a_loaded_config_labels_its_pool(pool: Path, truth: str, tmp_path: Path) -> None:
    composition = mmcompose.load(student_config(pool, truth, tmp_path))
    assert repr(composition) == 'Composition(first, second: 3 classes)'
    labels = composition.labels()
    assert labels.keys == [path.name for path in sorted(pool.glob('*.png'))]
    found = composition.predict(composition.pool[0])
    np.testing.assert_array_equal(found.boxes, labels[0].boxes)
    with pytest.raises(UserError, match='images: is missing'):
        mmcompose.Composition(toys.TEACHERS, label_pipeline=toys.LABEL_PIPELINE).labels()


def test_a_picture_that_is_none() -> None:
    with pytest.raises(UserError, match=r'nowhere\.jpg'):
        mmcompose.Image.of('nowhere.jpg')
    with pytest.raises(UserError, match='float64 of shape'):
        mmcompose.Image.of(np.zeros((4, 4, 3)))  # type: ignore[arg-type]


def test_detections_in_one_line_and_as_a_table() -> None:
    found = toys.random_detections(0, 30)
    assert repr(found).startswith('Detections(30 boxes: ')
    assert repr(found[:0]) == 'Detections(0 boxes)'
    html = found._repr_html_()
    assert html.count('<tr>') == 21 and 'and 10 more' in html
