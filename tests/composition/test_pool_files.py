"""Tests of the file by which a long list of images travels to further processes."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import pytest

from mmcompose.composition.pool_files import pool_file
from mmcompose.store import ImageTable
from mmcompose.utils import UserError
from tests.store.toys import images

POOL = ImageTable.of(images(300))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are."""
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    return tmp_path


def test_a_long_list_is_written_when_it_is_first_sent_and_removed_after(folder: Path) -> None:
    with pool_file(POOL) as listed:
        assert not list(folder.iterdir())
        first, again = pickle.dumps(listed), pickle.dumps(listed)
        assert first == again and len(first) < 1000
        assert len(list(folder.rglob('*.arrow'))) == 1
        assert list(pickle.loads(first).keys) == list(POOL.keys)
    assert not list(folder.iterdir())


def test_a_short_list_and_one_for_other_machines_travel_themselves(folder: Path) -> None:
    for pool, are_here in ((POOL[:255], True), (POOL, False)):
        with pool_file(pool, are_here) as listed:
            assert len(pickle.loads(pickle.dumps(listed))) == len(pool)
            assert not list(folder.iterdir())


def test_no_room_for_the_list_is_told_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, 'tempdir', str(folder / 'gone'))
    with pool_file(POOL) as listed, pytest.raises(UserError, match=r'^TMPDIR: .*gone'):
        pickle.dumps(listed)
