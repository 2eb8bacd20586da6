"""Tests of the wording of a user's mistake."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from mmcompose.utils import (
    NO_VALUE,
    Problem,
    check_keys,
    fault,
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
    told = problem('a.b', 'trruck', 'is not a class', ['car', 'truck'])
    assert told == Problem('a.b', 'trruck', 'is not a class', 'truck')
    assert str(told) == "a.b: 'trruck' is not a class; did you mean 'truck'?"


@pytest.mark.parametrize(
    ('told', 'line'),
    [
        (problem('a', None, 'is no number'), 'a: None is no number'),
        (fault('a.b', 'is missing'), 'a.b: is missing'),
        (fault('', 'pool/b.png: is no picture'), 'pool/b.png: is no picture'),
    ],
)
def test_a_line_has_no_more_than_is_known(told: Problem, line: str) -> None:
    assert str(told) == line


@pytest.mark.parametrize(
    ('told', 'line'),
    [
        (fault('steps[0].keep', 'is missing'), 'teachers.a.steps[0].keep: is missing'),
        (fault('[3].type', 'is missing'), 'teachers.a[3].type: is missing'),
        (fault('', 'pool/b.png: is no picture'), 'teachers.a: pool/b.png: is no picture'),
        (fault('b c', 'is missing'), 'teachers.a.b c: is missing'),
        (fault('composition.x', 'is missing', is_absolute=True), 'composition.x: is missing'),
    ],
)
def test_a_prefix_goes_before_the_key(told: Problem, line: str) -> None:
    assert str(told.below('teachers.a')) == line


def test_below_an_absolute_prefix_a_key_is_absolute() -> None:
    told = fault('keep', 'is missing').below('composition.label_pipeline[1]', is_absolute=True)
    assert told.below('composition.label_pipeline[2]') == told


def test_an_unknown_key_is_told_with_the_nearest_that_is_still_free() -> None:
    unknown, missing = check_keys(
        'step', ['iou_thrr', 'min_score'], ['iou_thr', 'min_score'], ['classes']
    )
    assert str(unknown) == (
        "step: 'iou_thrr' is not a key here (expected: iou_thr, min_score); did you mean 'iou_thr'?"
    )
    assert str(missing) == 'step.classes: is missing'


@pytest.mark.parametrize('value', [3, 'a', [1], {'a': 2}, lambda: None, NO_VALUE])
def test_a_problem_survives_the_way_back_from_another_process(value: object) -> None:
    told = Problem('a', value, 'is wrong', 'b', True)
    back = pickle.loads(pickle.dumps(told))
    assert str(back) == str(told)
    assert back.is_absolute


def test_a_missing_file_is_told_with_the_nearest_beside_it(tmp_path: Path) -> None:
    (tmp_path / 'labels.json').touch()
    line = str(no_file('ann_file', tmp_path / 'label.json'))
    assert line.startswith('ann_file: ')
    assert line.endswith(f"did you mean '{tmp_path / 'labels.json'}'?")


def test_a_folder_of_many_files_is_listed_without_a_look_at_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (tmp_path / f'{number:03d}.jpg').touch()
    (tmp_path / 'labels').mkdir()
    looks: list[Any] = []
    stat = os.stat

    def looked(path: Any, **how: Any) -> os.stat_result:
        looks.append(path)
        return stat(path, **how)

    monkeypatch.setattr(os, 'stat', looked)
    assert no_file('file', tmp_path / '04x.jpg').suggestion == str(tmp_path / '049.jpg')
    assert no_folder('img', tmp_path / 'lables').suggestion == str(tmp_path / 'labels')
    assert len(looks) < 20


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / 'a.json').touch()
    (tmp_path / 'pool').mkdir()
    for name, target in {'labels.json': 'a.json', 'pictures': 'pool', 'lost.json': 'b'}.items():
        (tmp_path / name).symlink_to(tmp_path / target)
    assert no_file('file', tmp_path / 'label.json').suggestion == str(tmp_path / 'labels.json')
    assert no_file('file', tmp_path / 'picture').suggestion is None
    assert no_folder('img', tmp_path / 'picture').suggestion == str(tmp_path / 'pictures')
    for kind in ('file', 'file or folder'):
        assert no_file('file', tmp_path / 'losst.json', kind=kind).suggestion is None


@pytest.mark.parametrize(
    ('missing', 'near'),
    [('pictures/xyz.png', None), ('pictuers/1.png', 'pictures'), ('labels.jsn', 'labels.json')],
)
def test_names_are_compared_without_the_folders_that_are_there(
    missing: str, near: str | None, tmp_path: Path
) -> None:
    (tmp_path / 'pictures').mkdir()
    (tmp_path / 'pictures' / 'abc.png').touch()
    (tmp_path / 'labels.json').touch()
    found = no_file('file', tmp_path / missing).suggestion
    assert found == (None if near is None else str(tmp_path / near))


def test_a_file_is_likened_to_files_alone(tmp_path: Path) -> None:
    (tmp_path / 'labels').mkdir()
    assert no_file('file', tmp_path / 'labels.json').suggestion is None
    found = no_file('file', tmp_path / 'labels.json', kind='file or folder').suggestion
    assert found == str(tmp_path / 'labels')


def test_a_folder_that_the_path_does_not_name_is_looked_into_for_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'cats' / 'coco').mkdir(parents=True)
    (tmp_path / 'cats' / 'coco' / 'val.json').touch()
    monkeypatch.chdir(tmp_path)
    assert no_file('file', 'data/coco/annotations/val.json').suggestion is None
    assert no_file('file', 'cast/coco/val.json').suggestion == 'cats/coco/val.json'
    assert no_folder('img', 'cast/coco').suggestion == 'cats/coco'
    assert no_folder('img', 'cast').suggestion == 'cats'


def test_what_is_elsewhere_is_compared_with_nothing_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 's3').mkdir()
    monkeypatch.chdir(tmp_path)
    assert str(no_file('ann_file', 's3://a/b.json')) == "ann_file: 's3://a/b.json' is no file"


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    expected = f"ann_file: '{tmp_path}' is a folder; give the path of a file"
    assert str(no_file('ann_file', tmp_path)) == expected


def test_a_missing_folder_is_told_with_the_nearest_that_is_one(tmp_path: Path) -> None:
    (tmp_path / 'pictures').mkdir()
    (tmp_path / 'picturs').touch()
    line = str(no_folder('img', tmp_path / 'pictur'))
    assert line == f"img: '{tmp_path / 'pictur'}' is no folder; did you mean '{tmp_path}/pictures'?"
