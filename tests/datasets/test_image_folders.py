"""A folder's pictures are found wherever they are linked from, and the rest is counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmcompose.datasets import image_folders
from mmcompose.datasets.image_folders import PassedOver, find_images


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b'')


def _names(folder: Path, passed_over: PassedOver | None = None) -> list[str]:
    return [os.path.relpath(path, folder) for path in find_images(str(folder), passed_over)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {'log': [], 'warn': []}
    for name, into in lines.items():
        monkeypatch.setattr(image_folders, name, into.append)
    return lines


def test_every_suffix_that_the_reader_reads_is_listed(tmp_path: Path) -> None:
    names = ['1.jpg', '2.JPE', '3.jfif', '4.gif', '5.jp2', '6.webp', '7.ppm', '8.tif', '9.bmp']
    _touch(tmp_path, *names, 'a/b/10.png')
    assert _names(tmp_path) == [*names, 'a/b/10.png']


def test_links_are_followed_and_each_folder_is_listed_once(
    tmp_path: Path, told: dict[str, list[str]]
) -> None:
    pool, elsewhere = tmp_path / 'pool', tmp_path / 'elsewhere'
    _touch(pool, '1.png', 'inner/2.png')
    _touch(elsewhere, '3.png')
    os.symlink(elsewhere, pool / 'linked')
    os.symlink(elsewhere / '3.png', pool / '4.png')
    passed_over = PassedOver()
    assert _names(pool, passed_over) == ['1.png', '4.png', 'inner/2.png', 'linked/3.png']
    passed_over.tell('pool')
    assert told == {'log': [], 'warn': []}
    # A loop, a second way to one folder, and a link that sorts before what it leads to.
    os.symlink(pool, pool / 'inner' / 'loop')
    os.symlink(elsewhere, pool / 'zz')
    os.symlink(pool / 'inner', pool / 'a')
    assert _names(pool, passed_over) == ['1.png', '4.png', 'inner/2.png', 'linked/3.png']
    passed_over.tell('pool')
    assert told['log'] == ['pool: 3 links lead to folders that are listed already']


def test_what_is_passed_over_is_counted(tmp_path: Path, told: dict[str, list[str]]) -> None:
    _touch(tmp_path, '1.png', 'a.json', 'b.json', 'README', '._1.png')
    passed_over = PassedOver()
    assert _names(tmp_path, passed_over) == ['1.png']
    passed_over.tell('pool')
    assert told['log'] == [
        'pool: 4 files are no pictures by suffix (2 .json, 1 .png, 1 without suffix)'
    ]
    assert told['warn'] == []


@pytest.mark.parametrize('pattern', ['', '/**', '/**/*.png'])
def test_hidden_folders_are_left_out_unless_they_are_named(
    pattern: str, tmp_path: Path, told: dict[str, list[str]]
) -> None:
    pool = tmp_path / '.cache' / 'pool'
    _touch(pool, 'a/1.png', '.Trash-1000/files/2.png', 'a/.ipynb_checkpoints/1-checkpoint.png')
    _touch(pool, '__MACOSX/3.png', 'a/@eaDir/1.png/4.png')
    passed_over = PassedOver()
    assert list(find_images(f'{pool}{pattern}', passed_over)) == [str(pool / 'a/1.png')]
    passed_over.tell('pool')
    (line,) = told['log']
    assert line.startswith('pool: 4 files of hidden folders are left out (1 in ')
    assert '1 in .Trash-1000' in line and '1 in .ipynb_checkpoints' in line
    hidden = pool / '.Trash-1000'
    assert list(find_images(f'{hidden}{pattern}')) == [str(hidden / 'files/2.png')]


def test_a_folder_that_cannot_be_listed_is_warned_of(
    tmp_path: Path, told: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _touch(tmp_path, '1.png', 'closed/2.png')
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if folder.endswith('closed'):
            raise PermissionError(13, 'Permission denied')
        return scandir(folder)

    monkeypatch.setattr(os, 'scandir', refuse)
    passed_over = PassedOver()
    assert _names(tmp_path, passed_over) == ['1.png']
    passed_over.tell('pool')
    (line,) = told['warn']
    assert line.startswith('pool: 1 folders cannot be listed, and are left out (')
    assert line.endswith('closed: Permission denied)')


def test_a_relative_pool_stays_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, 'pool/1.png')
    monkeypatch.chdir(tmp_path)
    assert list(find_images('pool')) == ['pool/1.png']
    assert list(find_images('pool/*.png')) == ['pool/1.png']


def test_a_local_glob_is_no_chain_of_urls(tmp_path: Path) -> None:
    _touch(tmp_path, 'p::q/1.png', 'p::q/r/2::3.png')
    folder = str(tmp_path / 'p::q')
    assert list(find_images(f'{folder}/*.png')) == [f'{folder}/1.png']
    assert list(find_images(f'{folder}/*/*::3.png')) == [f'{folder}/r/2::3.png']
