"""Tests of the wording of a user's mistakes."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from mmcompose.utils import (
    Mistakes,
    UserError,
    check_keys,
    key_prefix,
    nearest,
    no_file,
    no_folder,
    problem,
)


@pytest.mark.parametrize(
    ('name', 'options', 'expected'),
    [
        ('trruck', ['car', 'truck'], 'truck'),
        ('TRUCK', ['car', 'truck'], 'truck'),
        ('zebra', ['car', 'truck'], None),
        (7, ['7a', 'truck'], '7a'),
        ('car', [], None),
    ],
)
def test_nearest_is_the_most_alike_name_or_none(
    name: object, options: list[str], expected: str | None
) -> None:
    assert nearest(name, options) == expected


def test_a_problem_names_key_value_expectation_and_nearest_name() -> None:
    line = problem('a.b', 'trruck', 'is not a class', ['car', 'truck'])
    assert line == "a.b: 'trruck' is not a class; did you mean 'truck'?"


def test_an_unknown_key_is_told_with_the_nearest_that_is_still_free() -> None:
    lines = check_keys('step', ['iou_thrr', 'min_score'], ['iou_thr', 'min_score'], ['classes'])
    assert lines[0].startswith("step: 'iou_thrr' is not a key here")
    assert lines[0].endswith("did you mean 'iou_thr'?")
    assert lines[1:] == ['step.classes: is missing']


def test_under_puts_the_key_before_every_line() -> None:
    with pytest.raises(UserError) as caught, key_prefix('a.b'):
        raise UserError('c: wrong', 'd: wrong too')
    assert caught.value.problems == ('a.b.c: wrong', 'a.b.d: wrong too')


def test_an_error_survives_the_way_back_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(UserError('one', 'two')))
    assert error.problems == ('one', 'two')
    assert str(error) == 'one\ntwo'


def test_mistakes_are_told_all_at_once() -> None:
    mistakes = Mistakes()
    with mistakes:
        raise UserError('one')
    with mistakes:
        raise UserError('two', 'three')
    with pytest.raises(UserError) as caught:
        mistakes.raise_if_any()
    assert caught.value.problems == ('one', 'two', 'three')


def test_mistakes_let_other_errors_through() -> None:
    with pytest.raises(ZeroDivisionError), Mistakes():
        raise ZeroDivisionError


def test_a_missing_file_is_told_with_the_nearest_beside_it(tmp_path: Path) -> None:
    (tmp_path / 'labels.json').touch()
    line = no_file('ann_file', tmp_path / 'label.json')
    assert line.startswith('ann_file: ')
    assert line.endswith(f"did you mean '{tmp_path / 'labels.json'}'?")


def test_a_line_that_begins_with_a_path_is_no_argument() -> None:
    with pytest.raises(UserError) as caught, key_prefix('teachers.a'):
        raise UserError('steps[0].keep: is missing', 'pool/b.png: is no picture')
    assert caught.value.problems == (
        'teachers.a.steps[0].keep: is missing',
        'teachers.a: pool/b.png: is no picture',
    )


def test_a_missing_folder_is_told_with_the_nearest_that_is_one(tmp_path: Path) -> None:
    (tmp_path / 'pictures').mkdir()
    (tmp_path / 'picturs').touch()
    line = no_folder('img', tmp_path / 'pictur')
    assert line == f"img: '{tmp_path / 'pictur'}' is no folder; did you mean '{tmp_path}/pictures'?"
