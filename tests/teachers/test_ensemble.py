"""EnsembleTeacher: several members speak with one voice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image
from mmcompose.teachers import Teacher
from mmcompose.utils import UserError

# Finds the white pixels, and says them `shift` pixels further right.
SOURCE = """
import numpy as np

def white(pixels, shift=0, score=0.8, label=0):
    y, x = np.nonzero(pixels[..., 0] == 255)
    box = [x.min() + shift, y.min(), x.max() + 1 + shift, y.max() + 1]
    return [box], [score], [label]
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'ensemble_members.py').write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def image() -> Image:
    image = Image('a', 'a.png', 100, 50)
    vars(image)['pixels'] = np.zeros((50, 100, 3), np.uint8)
    image.pixels[10:30, 20:60] = 255
    return image


def _member(classes: tuple[str, ...] = ('cat', 'dog'), **arguments: Any) -> dict[str, Any]:
    return {
        'type': 'mmcompose.FunctionTeacher',
        'function': 'ensemble_members.white',
        'classes': classes,
        'arguments': arguments,
    }


def _ensemble(*members: dict[str, Any], **arguments: Any) -> Teacher:
    config = {'type': 'mmcompose.EnsembleTeacher', 'members': list(members), **arguments}
    return build(TEACHERS, config, 'composition.teachers.both')


def test_members_are_fused_into_one_voter(image: Image) -> None:
    (found,) = _ensemble(_member(shift=-2), _member(shift=2, score=0.4)).predict([image])
    assert found.scores.tolist() == pytest.approx([0.6])
    # Weighted by score: two thirds of the way to the first.
    assert found.boxes[0] == pytest.approx([20 - 2 / 3, 10, 60 - 2 / 3, 30], abs=1e-3)
    assert found.votes is None


def test_members_may_name_their_classes_in_another_order(image: Image) -> None:
    ensemble = _ensemble(_member(), _member(('dog', 'cat'), label=1))
    (found,) = ensemble.predict([image])
    assert ensemble.classes == ('cat', 'dog')
    assert found.labels.tolist() == [0]
    assert len(found) == 1


@pytest.mark.parametrize('more', [(), (('LABEL_7', 'cat', 'dog', 'N/A', 'N/A', 'N/A'),)])
def test_members_may_repeat_placeholders(more: tuple[tuple[str, ...], ...], image: Image) -> None:
    classes = ('N/A', 'cat', 'N/A', 'LABEL_7', 'dog')
    members = [_member(each, label=each.index('dog')) for each in (classes, *more)]
    ensemble = _ensemble(*members, flip=True)
    (found,) = ensemble.predict([image])
    assert ensemble.classes == classes
    assert found.labels.tolist() == [4]
    # A mapping of the composition may name what a numbered class is.
    members = [_member(each, label=each.index('LABEL_7')) for each in (classes, *more)]
    (found,) = _ensemble(*members, flip=True).predict([image])
    assert found.labels.tolist() == [3]


def test_a_picture_that_no_member_was_asked_about(tmp_path: Path, image: Image) -> None:
    (tmp_path / 'results').mkdir()
    stored = {
        'type': 'mmcompose.COCOResultsTeacher',
        'results': str(tmp_path / 'results'),
        'classes': ['cat', 'dog'],
        'on_unmatched': 'warn',
    }
    (tmp_path / 'results' / 'other.txt').write_text('0 0.5 0.5 0.2 0.2 0.9\n')
    (found,) = _ensemble(stored, stored).predict([image])
    assert len(found) == 0 and not found.asked
    (found,) = _ensemble(stored, _member()).predict([image])
    assert len(found) == 1 and found.asked
    # Nor is there a mirror image of stored results, were they in an ensemble of their own.
    inner = {'type': 'mmcompose.EnsembleTeacher', 'members': [stored, stored]}
    expected = r'both\.flip: True does not go with members\[1\], whose boxes were predicted before'
    for member in (stored, inner):
        with pytest.raises(UserError, match=expected):
            _ensemble(_member(), member, flip=True)


def test_the_mirror_image_votes_too(image: Image) -> None:
    before = image.pixels.copy()
    (found,) = _ensemble(_member(shift=3), flip=True).predict([image])
    # What leans right leans left in the mirror: the mean stands straight.
    assert found.boxes[0] == pytest.approx([20, 10, 60, 30], abs=1e-3)
    assert found.scores.tolist() == pytest.approx([0.8])
    assert (image.pixels == before).all()


def test_parameters_are_those_of_the_members() -> None:
    ensemble = _ensemble(_member(), _member(shift=1))
    assert ensemble.num_parameters is None and ensemble.architecture is None


@pytest.mark.parametrize(
    ('members', 'arguments', 'message'),
    [
        ([_member()], {}, r'^composition\.teachers\.both\.members: 1 is no ensemble'),
        ([_member(), _member(('cat', 'cow'))], {}, r"members\[1\]: has other .* 'cow', 'dog'"),
        ([_member(), {'type': 'NoSuch'}], {}, r"both\.members\[1\]\.type: 'NoSuch' is not a"),
        ([_member(), _member()], {'fusion': {'type': 'NoSuch'}}, r"both\.fusion\.type: 'NoSuch'"),
        (
            [_member(), _member()],
            {'fusion': {'type': 'mmcompose.ScoreFilter', 'min_score': 0.1}},
            r"both\.fusion\.type: 'mmcompose\.ScoreFilter' is no fusion",
        ),
        (
            [_member(), _member()],
            {'fusion': {'type': 'mmcompose.AgreementWeightedFusion'}},
            r"both\.fusion\.type: 'mmcompose\.AgreementWeightedFusion' learns from a pool",
        ),
    ],
)
def test_a_mistake_is_told_with_its_key(
    members: list[dict[str, Any]], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        _ensemble(*members, **arguments)
