"""Tests of files that appear whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mmcompose.utils import UserError, atomic_write, check_writable, without_nan, write_json


def test_a_file_appears_when_it_is_whole_and_its_folder_with_it(tmp_path: Path) -> None:
    place = tmp_path / 'new' / 'a.txt'
    with atomic_write('out', place) as temporary:
        temporary.write_text('half')
        assert not place.exists()
        temporary.write_text('whole')
    assert place.read_text() == 'whole'
    assert list(place.parent.iterdir()) == [place]


def test_a_name_as_long_as_a_file_system_takes_is_written(tmp_path: Path) -> None:
    # 253 of 255 bytes.
    place = tmp_path / f'{83 * "图"}.txt'
    with atomic_write('out', place) as temporary:
        temporary.write_text('whole')
    assert place.read_text() == 'whole'


@pytest.mark.parametrize('error', [ZeroDivisionError(), KeyboardInterrupt(), OSError(28, 'full')])
def test_what_was_there_stays_where_writing_fails(tmp_path: Path, error: BaseException) -> None:
    place = tmp_path / 'a.txt'
    place.write_text('old')
    told = UserError if isinstance(error, OSError) else type(error)
    with pytest.raises(told), atomic_write('out', place) as temporary:
        temporary.write_text('half')
        raise error
    assert place.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [place]


def test_a_full_disk_is_one_line_with_key_and_place(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught, atomic_write('--out', tmp_path / 'a.json'):
        raise OSError(28, 'No space left on device')
    (line,) = caught.value.lines
    assert line.startswith(f"--out: '{tmp_path / 'a.json'}' cannot be written: ")
    assert 'No space left' in line


def test_json_is_read_back_and_keeps_the_order_of_its_keys(tmp_path: Path) -> None:
    content = {'b': [1, 0.5, None], 'a': 'ä'}
    write_json('out', tmp_path / 'a.json', content)
    read = json.loads((tmp_path / 'a.json').read_text())
    assert read == content and list(read) == ['b', 'a']


@pytest.mark.parametrize('number', [float('nan'), float('inf')])
def test_what_is_no_json_is_not_written(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match='not JSON compliant'):
        write_json('out', tmp_path / 'a.json', {'a': number})
    assert list(tmp_path.iterdir()) == []


def test_nan_becomes_null_at_any_depth() -> None:
    nan = float('nan')
    found = without_nan({'a': [nan, 1.0, {'b': nan}], 'c': 'nan', 'd': (2, nan)})
    assert found == {'a': [None, 1.0, {'b': None}], 'c': 'nan', 'd': [2, None]}


def test_a_place_that_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    check_writable('work_dir', tmp_path, folder=True)
    check_writable('work_dir', tmp_path / 'a' / 'b')
    assert list(tmp_path.iterdir()) == []


def test_a_place_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match=r"^work_dir: '.*a' cannot be written: .*file is no folder"):
        check_writable('work_dir', tmp_path / 'file' / 'a')


@pytest.mark.parametrize('place', ['s3://b/a.json', Path('s3://b/a.json'), 'file:///a.json'])
def test_a_url_is_no_place_for_a_file(place: str | Path) -> None:
    with pytest.raises(UserError, match=r"^--out: '.*json' is a URL; give a local path$"):
        check_writable('--out', place)


def test_a_folder_in_place_of_a_file_is_told_and_a_file_in_place_of_a_folder(
    tmp_path: Path,
) -> None:
    (tmp_path / 'file').touch()
    check_writable('--out', tmp_path / 'file')
    with pytest.raises(UserError, match=r"^--out: '.*' is a folder; give the path of a file$"):
        check_writable('--out', tmp_path)
    with pytest.raises(UserError, match=r"^store: '.*file' is a file; give the path of a folder$"):
        check_writable('store', tmp_path / 'file', folder=True)


def test_a_folder_without_the_right_to_write_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who runs the tests may be allowed everything.
    asked: list[Any] = []
    monkeypatch.setattr(os, 'access', lambda *arguments: asked.append(arguments))
    with pytest.raises(UserError, match=r'^--out: .* no right to write to '):
        check_writable('--out', tmp_path / 'new' / 'a.json')
    assert asked == [(tmp_path, os.W_OK)]
