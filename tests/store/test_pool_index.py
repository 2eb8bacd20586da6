"""Tests of PoolIndex: a picture is opened once, and again when its file has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from mmcompose.store import POOL_SCHEMA, UNKNOWN, ImageTable, PoolIndex
from mmcompose.store.location import Location
from tests.store.toys import location_of


@pytest.fixture(params=['local', 'memory', 's3'])
def location(request: pytest.FixtureRequest) -> Location:
    """A store here, and elsewhere."""
    return Location(location_of(request))


class Pictures:
    """Pictures as a listing finds them; counts the looks at their headers."""

    def __init__(self, **modified: int) -> None:
        self.modified = modified
        self.opened: list[str] = []

    def size_of(self, path: str) -> tuple[int, int]:
        """Return a size, 0 for one that cannot be read."""
        self.opened.append(path)
        return (0, 0) if path.startswith('broken') else (len(path), 7)

    def update(self, location: Location) -> ImageTable:
        """List them and look at those that have to be looked at."""
        rows = [
            {'key': k, 'width': UNKNOWN, 'height': UNKNOWN, 'num_bytes': 9, 'path': k.encode(),
             'modified': when}
            for k, when in self.modified.items()
        ]  # fmt: skip
        listed = pa.Table.from_pylist(rows, schema=POOL_SCHEMA)
        self.opened = []
        return PoolIndex(location, {'prefix': 'pool'}).update(listed, self.size_of)


def _sizes(images: ImageTable) -> dict[str, int]:
    return {image.key: image.width for image in images}


def test_a_picture_is_opened_once(location: Location) -> None:
    pool = Pictures(a=1, bb=1)
    assert _sizes(pool.update(location)) == {'a': 1, 'bb': 2}
    assert pool.opened == ['a', 'bb']
    assert _sizes(pool.update(location)) == {'a': 1, 'bb': 2}
    assert pool.opened == []


def test_only_what_is_new_or_changed_is_opened(location: Location) -> None:
    Pictures(a=1, bb=1, gone=1).update(location)
    pool = Pictures(new=1, bb=2, a=1)
    assert _sizes(pool.update(location)) == {'new': 3, 'bb': 2, 'a': 1}
    assert pool.opened == ['new', 'bb']
    pool.update(location)
    assert pool.opened == []


def test_what_could_not_be_read_is_opened_again(location: Location) -> None:
    pool = Pictures(a=1, broken=1)
    pool.update(location)
    pool.update(location)
    assert pool.opened == ['broken']


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    location, pool = Location(tmp_path), Pictures(a=1)
    pool.update(location)
    (path,) = (tmp_path / 'pools').iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert _sizes(pool.update(location)) == {'a': 1}
    assert pool.opened == ['a']


@pytest.mark.parametrize(
    ('path', 'num_bytes', 'expected', 'opened'),
    [
        # Compared with the file's own, which counts; once.
        (b'long', 9, 4, ['long']),
        # A pool elsewhere.
        (b's3://b/a', None, 3, []),
        (b'a', None, 3, []),
        # One that cannot be read now may be readable at the next start.
        (b'broken', 9, 0, ['broken', 'broken']),
    ],
)
def test_sizes_that_a_list_has_are_compared_once(
    location: Location, path: bytes, num_bytes: int | None, expected: int, opened: list[str]
) -> None:
    row = {'key': 'a', 'width': 3, 'height': 7, 'num_bytes': num_bytes, 'path': path, 'modified': 0}
    listed = pa.Table.from_pylist([row], schema=POOL_SCHEMA)
    pool, index = Pictures(), PoolIndex(location, {'prefix': 'pool'})
    for _ in range(2):
        seen: list[int] = []

        def check(table: pa.Table, seen: list[int] = seen) -> bool:
            seen.extend(table.column('width').to_pylist())
            return True

        assert _sizes(index.update(listed, pool.size_of, check=check)) == {'a': expected}
        assert seen == [expected]
    assert pool.opened == opened


def test_a_list_is_read_again_when_it_or_a_picture_has_changed(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text('a')
    picture = tmp_path / 'a'
    picture.write_bytes(b'one')
    found = picture.stat()
    row = {'key': 'a', 'width': 3, 'height': 4, 'num_bytes': found.st_size,
           'path': str(picture).encode(), 'modified': found.st_mtime_ns}  # fmt: skip
    listed = pa.Table.from_pylist([row], schema=POOL_SCHEMA)
    index, list_file = PoolIndex(Location(tmp_path / 'store'), {}), str(tmp_path / 'list.txt')
    assert index.unchanged(list_file) is None
    index.update(listed, Pictures().size_of, list_file)
    again = index.unchanged(list_file)
    assert again is not None and _sizes(again) == {'a': len(str(picture))}
    picture.write_bytes(b'longer')
    assert index.unchanged(list_file) is None
    picture.write_bytes(b'one')
    os.utime(picture, ns=(0, found.st_mtime_ns))
    assert index.unchanged(list_file) is not None
    (tmp_path / 'list.txt').write_text('a\nb')
    assert index.unchanged(list_file) is None
    # What was doubted and allowed is doubted again at each start.
    index.update(listed, Pictures().size_of, list_file, lambda table: False)
    assert index.unchanged(list_file) is None


def test_a_list_of_urls_is_read_again_where_its_pictures_have_digests(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text('a')
    row = {'key': 'a', 'width': 3, 'height': 4, 'num_bytes': None, 'path': b'memory://pool/a',
           'modified': 0}  # fmt: skip
    listed = pa.Table.from_pylist([row], schema=POOL_SCHEMA)
    index, list_file = PoolIndex(Location(tmp_path / 'store'), {}), str(tmp_path / 'list.txt')
    index.update(listed, Pictures().size_of, list_file)
    assert index.unchanged(list_file) is not None
    # Nothing but its content tells whether such a picture has changed.
    index.update(listed, Pictures().size_of, list_file, digest_of=lambda path: '0123456789abcdef')
    assert index.unchanged(list_file) is None


def test_a_picture_of_another_digest_is_measured_again(location: Location) -> None:
    rows = [
        {'key': k, 'width': UNKNOWN, 'height': UNKNOWN, 'num_bytes': None,
         'path': f's3://b/{k}'.encode(), 'modified': 0}
        for k in 'abc'
    ]  # fmt: skip
    listed = pa.Table.from_pylist(rows, schema=POOL_SCHEMA)
    index = PoolIndex(location, {'prefix': 'pool'})
    digests: dict[str, str | None] = {'s3://b/a': '1', 's3://b/b': '1', 's3://b/c': None}
    opened: list[str] = []

    def sizes(width: int) -> list[int]:
        def size_of(path: str) -> tuple[int, int]:
            opened.append(path[-1])
            return width, 7

        return [image.width for image in index.update(listed, size_of, digest_of=digests.get)]

    assert [image.width for image in index.update(listed, lambda path: (1, 7))] == [1, 1, 1]
    # Without digests one of the same name may have been put in its place meanwhile.
    assert (sizes(2), opened) == ([2, 2, 1], ['a', 'b'])
    digests['s3://b/b'] = '2'
    opened.clear()
    assert (sizes(3), opened) == ([2, 3, 1], ['b'])
