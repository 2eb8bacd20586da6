"""Tests that no damage of a stored file is ever taken for its content."""

from __future__ import annotations

import shutil
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
