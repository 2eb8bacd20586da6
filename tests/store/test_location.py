"""Tests of Location: files on this machine and elsewhere, whole or not at all."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mmcompose.store.location import Location
from mmcompose.utils import UserError
from tests.store.toys import location_of, memory


@pytest.fixture(params=['local', 'memory', 's3'])
def location(request: pytest.FixtureRequest) -> Location:
    """A folder that need not exist, here and elsewhere."""
    return Location(location_of(request))


def test_what_is_written_is_read_and_listed(location: Location) -> None:
    assert location.names('a') == []
    location.write(b'one', 'a', 'x')
    location.write(b'two', 'a', 'y')
    location.write(b'three', 'a', 'y')
    assert location.names('a') == ['x', 'y'] and location.names() == ['a']
    assert location.read('a', 'y') == b'three' and location.size('a', 'y') == 5
    location.remove('a', 'x')
    location.remove('a', 'x')
    assert location.names('a') == ['y']
    location.remove_folder('a')
    location.remove_folder('a')
    assert location.names() == []


def test_a_missing_file_is_no_users_mistake(location: Location) -> None:
    with pytest.raises(FileNotFoundError):
        location.read('a', 'x')
    with pytest.raises(FileNotFoundError):
        location.size('a', 'x')


def test_one_of_many_creates(location: Location) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: location.create(str(n).encode(), 'a', 'x'), range(32)))
    assert sum(made) == 1
    assert location.read('a', 'x') == str(made.index(True)).encode()
    assert location.names('a') == ['x']


def test_only_the_location_travels(location: Location) -> None:
    location.write(b'one', 'x')
    sent = pickle.dumps(location)
    assert len(sent) < 300
    assert pickle.loads(sent).read('x') == b'one'


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    Location('~/labels').write(b'', 'x')
    assert (tmp_path / 'labels' / 'x').is_file()


def test_a_file_url_is_a_local_path(tmp_path: Path) -> None:
    Location(f'file://{tmp_path}/labels').write(b'', 'x')
    assert (tmp_path / 'labels' / 'x').is_file()


@pytest.mark.parametrize('name', ['run::1', 'run::1/labels'])
def test_colons_in_a_local_name_are_no_urls(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for location in (Location(name), Location(tmp_path / name)):
        location.write(b'one', 'x')
        location.remove('x')
        location.remove('x')
        assert location.names() == []


@pytest.mark.parametrize(
    ('given', 'says'),
    [
        ('', "composition.store: '' is no folder"),
        (' ', "composition.store: ' ' is no folder"),
        ('s4://bucket/labels', "composition.store: 's4://' is of no protocol"),
        ('memry://labels', "did you mean 'memory://'?"),
    ],
)
def test_what_is_no_location_is_told(given: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        Location(given)
    assert says in str(caught.value) and '\n' not in str(caught.value)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    location = Location(tmp_path / 'file' / 'store')
    for write in (
        location.check_writable,
        lambda: location.write(b'', 'x'),
        lambda: location.create(b'', 'x'),
    ):
        with pytest.raises(UserError, match=r'composition\.store: .* cannot be written: '):
            write()


def test_a_folder_may_hold_one_of_its_own_name() -> None:
    for location in (Location(f'{memory()}/labels'), Location(f'{memory()}/labels/')):
        location.write(b'one', 'labels', 'x')
        location.write(b'two', 'predictions', 'x')
        assert location.names() == ['labels', 'predictions']
        assert location.names('labels') == ['x']


def _fails_once(call: Callable[..., Any], first: Callable[[], None]) -> Callable[..., Any]:
    """Return a call that is preceded, once, by another, which may raise."""
    todo = [first]

    def failing(*arguments: Any, **named: Any) -> Any:
        if todo:
            todo.pop()()
        return call(*arguments, **named)

    return failing


def test_a_file_is_created_in_a_folder_that_others_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = Location(tmp_path)
    gone = _fails_once(os.link, lambda: shutil.rmtree(tmp_path / 'a'))
    monkeypatch.setattr(os, 'link', gone)
    assert location.create(b'one', 'a', 'x') and location.read('a', 'x') == b'one'
    assert not location.create(b'two', 'a', 'x')


def test_a_folder_is_removed_that_others_write_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = Location(tmp_path)
    for number in (errno.ENOTEMPTY, errno.ENOENT):
        location.write(b'one', 'a', 'x')

        def refuse(number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(shutil, 'rmtree', _fails_once(shutil.rmtree, refuse))
        location.remove_folder('a')
        assert location.names() == []
    location.write(b'one', 'a', 'x')
    monkeypatch.setattr(shutil, 'rmtree', _fails_once(shutil.rmtree, _refuse_access))
    with pytest.raises(UserError, match='cannot be removed'):
        location.remove_folder('a')


def _refuse_access() -> None:
    raise PermissionError(errno.EACCES, 'Permission denied')


def test_where_there_are_no_links_one_of_many_creates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, 'Operation not supported')

    monkeypatch.setattr(os, 'link', link)
    test_one_of_many_creates(Location(tmp_path))
    # What a process that was killed left does not keep others out for good.
    monkeypatch.setattr('mmcompose.store.location._PATIENCE', 0.1)
    (tmp_path / 'a' / '.y.new.tmp').touch()
    assert Location(tmp_path).create(b'one', 'a', 'y')
    assert not Location(tmp_path).create(b'two', 'a', 'y')
    assert Location(tmp_path).read('a', 'y') == b'one'
