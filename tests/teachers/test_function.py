"""FunctionTeacher: a function of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image
from mmcompose.teachers import Teacher
from mmcompose.utils import UserError

SOURCE = """
import functools
import torch

def whole(pixels, score=0.5):
    height, width, _ = pixels.shape
    pixels[:] = 0
    return [[0, 0, width + 5, height]], [score], [1]

def nothing(pixels):
    return [], [], []

def pair(pixels):
    return [[0, 0, 1, 1]], [1]

def uneven(pixels):
    return [[0, 0, 1, 1]], [1, 1], [0]

def sized(pixels):
    return [[20, 10, 8, 9]], [0.5], [0]

def transposed(pixels):
    return [[0, 5], [0, 5], [9, 8], [9, 8]], [0.5, 0.5], [0, 0]

def soft_mask(pixels):
    mask = pixels[None, ..., 0] * 0 + 0.25
    return [[0, 0, 4, 4]], [0.5], [0], mask

@torch.no_grad()
def frozen(pixels):
    return [], [], []

class Detector:
    def __call__(self, pixels, score=0.5):
        return [], [], []

detector = Detector()
half = functools.partial(whole, score=0.5)
number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'my_detectors.py').write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__('sys').modules, 'my_detectors', raising=False)


def _teacher(name: str, **arguments: Any) -> Teacher:
    config = {'type': 'mmcompose.FunctionTeacher', 'function': name, 'classes': ['a', 'b']}
    return build(TEACHERS, {**config, **arguments}, 'composition.teachers.mine')


def test_it_is_asked_picture_by_picture(make_images: Callable[..., list[Image]]) -> None:
    images = make_images((40, 30), (20, 10))
    before = images[0].pixels.copy()
    found = _teacher('my_detectors.whole', arguments={'score': 0.25}).predict(images)
    assert [one.boxes.tolist() for one in found] == [[[0, 0, 40, 30]], [[0, 0, 20, 10]]]
    assert found[0].scores.tolist() == [0.25]
    assert (images[0].pixels == before).all(), 'another teacher looks at the same pixels'
    assert len(_teacher('my_detectors.nothing').predict(images)[1]) == 0


@pytest.mark.parametrize('name', ['whole', 'frozen', 'detector', 'half'])
def test_identity_follows_the_source(tmp_path: Path, name: str) -> None:
    before = _teacher(f'my_detectors.{name}').identity
    (tmp_path / 'my_detectors.py').write_text(SOURCE + '# changed')
    assert _teacher(f'my_detectors.{name}').identity != before


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('no_such_module.f', r'^composition\.teachers\.mine\.function: .* cannot be imported'),
        ('f', 'cannot be imported'),
        ('my_detectors.hole', "is no function of my_detectors; did you mean 'my_detectors.whole'"),
        ('my_detectors.number', 'is no function of my_detectors'),
    ],
)
def test_a_name_that_is_no_function_is_told(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _teacher(name)


@pytest.mark.parametrize('name', ['pair', 'uneven'])
def test_what_is_no_answer_is_told(name: str, make_images: Callable[..., list[Image]]) -> None:
    with pytest.raises(UserError, match='does not return boxes'):
        _teacher(f'my_detectors.{name}').predict(make_images((40, 30)))


def test_boxes_of_another_shape_are_not_cut_anew(make_images: Callable[..., list[Image]]) -> None:
    with pytest.raises(UserError, match=r'boxes: are of shape \(4, 2\), not \(N, 4\)'):
        _teacher('my_detectors.transposed').predict(make_images((40, 30)))


def test_masks_of_probabilities_are_told(make_images: Callable[..., list[Image]]) -> None:
    with pytest.raises(UserError, match='other numbers than 0 and 1: they need a threshold'):
        _teacher('my_detectors.soft_mask').predict(make_images((40, 30)))


def test_a_size_where_a_corner_is_meant_is_told(make_images: Callable[..., list[Image]]) -> None:
    with pytest.raises(UserError, match=r'negative width or height, x1, y1, x2, y2 = 20, 10, 8, 9'):
        _teacher('my_detectors.sized').predict(make_images((40, 30)))


def test_a_label_beyond_the_classes_is_told(make_images: Callable[..., list[Image]]) -> None:
    with pytest.raises(UserError, match='1 names, but the model predicts class number 1'):
        _teacher('my_detectors.whole', classes=['a']).predict(make_images((40, 30)))
