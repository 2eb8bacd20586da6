"""Tests that no damage of a stored file is ever taken for its content."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmcompose.store import ImageTable
from mmcompose.utils import UserError
from tests.store.toys import SmallStore, boxes_of, images, make
from tests.toys import files_below

FLIPS = 120
CLASSES = 3


def _fill(root: Path) -> None:
    """Make predictions of two teachers, labels, and the list of a run that was killed."""
    store = SmallStore(root)
    make(store, images(), 'a', 'b')
    result = store.labels({'pipeline': 1}, images())
    result.write_learned([{'a': 1.5}])
    for part in range(result.num_parts):
        result.write(part, [boxes_of(result.images[row]) for row in result.rows_of(part)])
    assert result.read() is not None
    work = store.work_list(images(9), {'a': store.predictions('a')})
    assert len(work) == 2


def _content(root: Path) -> object:
    """Return all that is in a store as a user meets it; make what is missing."""
    store = SmallStore(root)
    make(store, images(9), 'a', 'b')
    boxes = []
    for maker in 'ab':
        found = store.predictions(maker).of(ImageTable.of(images(9)))
        boxes += [found[row].boxes.tolist() for row in range(9)]
    result = store.labels({'pipeline': 1}, images())
    learned = result.read_learned()
    if result.read() is None:
        for part in result.unfinished():
            result.write(part, [boxes_of(result.images[row]) for row in result.rows_of(part)])
    table = result.read()
    assert table is not None
    return [boxes, [table[row].boxes.tolist() for row in range(7)], learned, table.keys]


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which nothing is damaged."""
    root = tmp_path_factory.mktemp('whole')
    _fill(root)
    return root


def _copy(whole: Path, root: Path) -> Path:
    shutil.copytree(whole, root)
    return root


def test_flipped_bits_are_noticed_or_mended(whole: Path, tmp_path: Path) -> None:
    expected = _content(_copy(whole, tmp_path / 'sound'))
    files = sorted(files_below(whole))
    random = np.random.default_rng(0)
    told = 0
    for number in range(FLIPS):
        root = _copy(whole, tmp_path / str(number))
        path = root / files[random.integers(len(files))]
        content = bytearray(path.read_bytes())
        content[random.integers(len(content))] ^= 1 << int(random.integers(8))
        path.write_bytes(content)
        try:
            assert _content(root) == expected, path
        except UserError as error:
            (line,) = error.lines
            assert str(root) in line and 'delete' in line, line
            told += 1
        shutil.rmtree(root)
    assert 0 < told < FLIPS


@pytest.mark.parametrize('size', [0, 1, 100])
def test_files_that_were_cut_short_are_noticed_or_mended(
    size: int, whole: Path, tmp_path: Path
) -> None:
    expected = _content(_copy(whole, tmp_path / 'sound'))
    for number, name in enumerate(sorted(files_below(whole))):
        root = _copy(whole, tmp_path / str(number))
        (root / name).write_bytes((root / name).read_bytes()[:size])
        try:
            assert _content(root) == expected, name
        except UserError as error:
            (line,) = error.lines
            assert str(root) in line and 'delete' in line, line


def test_files_that_are_gone_are_made_again(whole: Path, tmp_path: Path) -> None:
    expected = _content(_copy(whole, tmp_path / 'sound'))
    # What the pipeline learned is made again by whoever labels.
    for name in sorted(name for name in files_below(whole) if 'learned' not in name):
        root = _copy(whole, tmp_path / name.replace('/', '-'))
        (root / name).unlink()
        if name == 'store.json':
            continue
        assert _content(root) == expected, name


def test_parts_that_were_swapped_are_noticed(whole: Path, tmp_path: Path) -> None:
    root = _copy(whole, tmp_path / 'store')
    folder = root / SmallStore(root).predictions('a').folder
    one, other = sorted(folder.glob('*.parquet'))[:2]
    one.rename(folder / 'kept')
    other.rename(one)
    (folder / 'kept').rename(other)
    with pytest.raises(UserError, match='is damaged: its content is not what was written'):
        _content(root)


def _first(root: Path, pattern: str) -> Path:
    return sorted(root.glob(pattern))[0]


def _folders(root: Path) -> tuple[Path, Path]:
    """Return where the two teachers' predictions are."""
    store = SmallStore(root)
    return tuple(root / store.predictions(maker).folder for maker in 'ab')  # type: ignore[return-value]


def _take_another_teachers(root: Path) -> None:
    own, other = _folders(root)
    for part in own.glob('*.parquet'):
        part.unlink()
    for part in other.glob('*.parquet'):
        shutil.copy(part, own)


def _take_another_teachers_index(root: Path) -> None:
    own, other = _folders(root)
    _first(own, 'index-*').unlink()
    shutil.copy(_first(other, 'index-*'), own)


def _take_predictions_for_labels(root: Path) -> None:
    table = _first(root, 'labels/*/labels-*.arrow')
    shutil.copy(_first(root, 'predictions/*/index-*.arrow'), table)


def _replaced(pattern: str, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = _first(root, pattern)
        content = path.read_text()
        assert old in content
        path.write_text(content.replace(old, new))

    return change


def _zeroed(pattern: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = _first(root, pattern)
        path.write_bytes(bytes(path.stat().st_size))

    return change


# What somebody, or a file system, did to a store.
DAMAGES: dict[str, Callable[[Path], None]] = {
    "another teacher's parts": _take_another_teachers,
    "another teacher's index": _take_another_teachers_index,
    'predictions in place of labels': _take_predictions_for_labels,
    'zeros in place of a part': _zeroed('predictions/*/*.parquet'),
    'zeros in place of an index': _zeroed('predictions/*/index-*'),
    'zeros in place of labels': _zeroed('labels/*/labels-*'),
    'other learned values': _replaced('labels/*/learned-*', '1.5', '2.5'),
    'another teacher in a manifest': _replaced(
        'predictions/*/manifest.json', '"teacher": "', '"teacher": "c'
    ),
    'another pipeline in a manifest': _replaced(
        'labels/*/manifest.json', '"pipeline": 1', '"pipeline": 2'
    ),
    'another pool in a manifest': _replaced(
        'labels/*/manifest.json', '"num_images": 7', '"num_images": 8'
    ),
    'a store of another version': _replaced('store.json', '3', '2'),
    'a store of no version': _replaced('store.json', '{"format": 3}', '[]'),
}


@pytest.mark.parametrize('damage', DAMAGES.values(), ids=DAMAGES)
def test_what_is_not_what_was_written_is_noticed_or_mended(
    damage: Callable[[Path], None], whole: Path, tmp_path: Path
) -> None:
    expected = _content(_copy(whole, tmp_path / 'sound'))
    root = _copy(whole, tmp_path / 'store')
    damage(root)
    try:
        assert _content(root) == expected
    except UserError as error:
        (line,) = error.lines
        assert str(root) in line and 'delete' in line, line


def _leave_files_about(root: Path) -> None:
    for folder in [root, *(path for path in root.rglob('*') if path.is_dir())]:
        for name in ('.DS_Store', 'Thumbs.db', '.nfs0000', 'notes.txt', '.part.tmp'):
            (folder / name).write_bytes(b'something')
        (folder / 'lost+found').mkdir()


def _link(root: Path) -> None:
    root.rename(root.with_name('elsewhere'))
    root.symlink_to(root.with_name('elsewhere'))


def _age(root: Path) -> None:
    for path in files_below(root):
        os.utime(root / path, (0, 0))


# What a store lives through.
HARMLESS: dict[str, Callable[[Path], None]] = {
    'nothing': lambda root: None,
    'files of others': _leave_files_about,
    'a link to it': _link,
    'a copy that kept no times': _age,
}


@pytest.mark.parametrize('change', HARMLESS.values(), ids=HARMLESS)
def test_what_a_store_lives_through_makes_nothing_anew(
    change: Callable[[Path], None], whole: Path, tmp_path: Path
) -> None:
    root = _copy(whole, tmp_path / 'store')
    expected = _content(root)
    change(root)
    before = files_below(root)
    assert _content(root) == expected
    assert files_below(root) == before
