"""Tests of PictureResults and WorkList: pools that grow, shrink, change and are shared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcompose.store import ImageTable, LabelStore
from mmcompose.store.picture_results import PictureResults
from mmcompose.store.tidying import compact
from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError
from tests.store.toys import SmallStore, boxes_of, image, images, make, memory, parts_of
from tests.toys import files_below


def _check(store: LabelStore, pool: list[Image], *makers: str) -> None:
    """Every image has its own boxes."""
    for maker in makers or ('a',):
        found = store.predictions(maker).of(ImageTable.of(pool))
        assert found.keys == [each.key for each in pool]
        for row, each in enumerate(pool):
            np.testing.assert_array_equal(found[row].boxes, boxes_of(each).boxes)


def _made(store: LabelStore, pool: list[Image], *makers: str) -> int:
    """Make what is missing; return of how many images something was."""
    return len(make(store, pool, *makers))


def test_parts_are_of_the_pools_order(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    assert _made(store, images()) == 7
    parts = parts_of(store.predictions('a'))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert [key for part in parts for key in part] == [each.key for each in images()]
    _check(store, images())


@pytest.mark.parametrize(
    ('pool', 'new'),
    [
        (images(8), 1),
        ([*images(3), image('added.png'), *images(4, first=3)], 1),
        (images(5), 0),
        (images()[::-1], 0),
        (images(3, first=2), 0),
        ([*images(6), image('006.png', 11)], 1),
        ([*images(6), image('006.png', size=(64, 96))], 1),
        ([*images(6), image('6.png')], 1),
        ([*images(6), image('006.png', None)], 0),
    ],
    ids=['grown', 'grown within', 'shrunk', 'reordered', 'split', 'changed', 'turned', 'renamed',
         'of unknown size'],
)  # fmt: skip
def test_only_what_was_never_seen_is_asked_for(pool: list[Image], new: int, tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images())
    assert _made(store, pool) == new
    assert _made(store, pool) == 0
    _check(store, pool)
    _check(store, images())


def test_a_size_that_was_not_known_then_is_no_other_picture(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, [image('a.png', None)])
    assert _made(store, [image('a.png', 10)]) == 0


def test_a_digest_belongs_to_the_address_where_there_is_one(tmp_path: Path) -> None:
    def with_digest(digest: str | None) -> list[Image]:
        pool = images(4)
        for each in pool:
            each.digest = digest
        return pool

    store = SmallStore(tmp_path)
    for digest, asked in ((None, 4), ('a' * 16, 4), ('a' * 16, 0), ('b' * 16, 4), (None, 0)):
        assert _made(store, with_digest(digest)) == asked, digest
    compact(store.location, 100)
    for name in store.location.names(store.predictions('a').folder):
        if name.startswith('index-'):
            store.location.remove(store.predictions('a').folder, name)
    for digest in (None, 'a' * 16, 'b' * 16):
        pool = with_digest(digest)
        assert _made(store, pool) == 0
        _check(store, pool)


def test_a_picture_is_in_one_part_for_all_that_have_not_seen_it(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images(4), 'a')
    make(store, images(6), 'b')
    assert _made(store, images(7), 'a', 'b', 'c') == 7
    _check(store, images(7), 'a', 'b', 'c')
    assert parts_of(store.predictions('c'))[0] == ['000.png', '001.png', '002.png']
    assert sorted(map(len, parts_of(store.predictions('a')))) == [1, 1, 2, 3]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), unique=True), min_size=1, max_size=5), st.data())
def test_any_pools_one_after_the_other(pools: list[list[int]], data: Any) -> None:
    store = SmallStore(memory())
    seen: set[int] = set()
    for numbers in pools:
        pool = [image(f'{number:03d}.png') for number in numbers]
        assert _made(store, pool) == len(set(numbers) - seen)
        seen |= set(numbers)
        _check(store, pool)
        if data.draw(st.booleans()):
            # Found anew from the parts.
            folder = store.predictions('a').folder
            for name in store.location.names(folder):
                if name.startswith('index-'):
                    store.location.remove(folder, name)


def test_a_list_is_written_once_and_read_by_who_comes_late(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    store.begin()
    results = {'a': store.predictions('a')}
    first = store.work_list(images(), results)
    made, wanted = first.images_of(1)
    first.write('a', 1, made, [boxes_of(each) for each in made])
    assert wanted['a'].all()
    late = SmallStore(tmp_path).work_list(images(), {'a': SmallStore(tmp_path).predictions('a')})
    assert late.unfinished() == first.unfinished() == [0, 2]
    assert [late.stem(part) for part in range(3)] == [first.stem(part) for part in range(3)]
    make(SmallStore(tmp_path), images())
    assert not store.location.names('work')
    make(SmallStore(tmp_path / 'at once'), images())
    folder = results['a'].folder
    assert files_below(tmp_path / folder) == files_below(tmp_path / 'at once' / folder)


def test_who_looks_while_a_run_ends_makes_nothing_of_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SmallStore(tmp_path)
    store.begin()
    first = store.work_list(images(), {'a': store.predictions('a')})
    made, _ = first.images_of(0)
    first.write('a', 0, made, [boxes_of(each) for each in made])
    late, missing = store.predictions('a'), PictureResults.missing
    looks: list[int] = []

    def stale(results: PictureResults, pool: ImageTable) -> Any:
        found = missing(results, pool)
        if results is late:
            looks.append(int(found.sum()))
            if len(looks) == 1:
                # The run makes the rest, and forgets its list.
                make(SmallStore(tmp_path), images())
        return found

    monkeypatch.setattr(PictureResults, 'missing', stale)
    work = store.work_list(images(), {'a': late})
    assert looks[0] > 0 and looks[-1] == 0
    assert work.is_empty and not work.unfinished() and not len(work)
    assert not files_below(tmp_path / 'work')


def test_unreadable_pictures_keep_their_reason_and_are_asked_about_when_mended(
    tmp_path: Path,
) -> None:
    store = SmallStore(tmp_path)
    store.begin()
    pool = [image('a.png'), image('gone.png', None), image('c.png')]
    results = store.predictions('a')
    work = store.work_list(pool, {'a': results})
    empty = [Detections()] * 3
    work.write('a', 0, pool, empty, [None, 'is no file', None])
    work.finish()
    assert results.of(ImageTable.of(pool)).unreadable() == {1: 'is no file'}
    assert not results.missing(ImageTable.of(pool)).any()
    mended = ImageTable.of([pool[0], image('gone.png', 5), pool[2]])
    assert results.missing(mended).tolist() == [False, True, False]


def test_what_could_not_be_read_is_tried_again_alone_and_as_often_as_asked(
    tmp_path: Path,
) -> None:
    store = SmallStore(tmp_path)
    store.begin()
    pool = images(4)
    results = store.predictions('a')
    broken = [None, None, 'is broken', None]
    results.write('first', pool, [Detections()] * 4, broken)
    for reason in ('is broken', 'is broken', None):
        assert not store.work_list(pool, {'a': results}).unfinished()
        work = store.work_list(pool, {'a': results}, [2])
        # One that is in no list of those who come later.
        other = store.work_list(pool, {'a': results})
        assert work.unfinished() == [0] and other.is_empty
        (tried,), _ = work.images_of(0)
        assert tried.key == pool[2].key
        work.write('a', 0, [tried], [boxes_of(tried)], [reason])
        assert not work.unfinished()
        work.finish()
        failed = results.unreadable(ImageTable.of(pool))
        assert failed.tolist() == [False, False, bool(reason), False]
    assert store.work_list(pool, {'a': results}, [2]).is_empty
    assert len(results.of(ImageTable.of(pool))[2]) == len(boxes_of(pool[2]))
    compact(store.location)
    (part,) = parts_of(store.predictions('a'))
    assert sorted(part) == [each.key for each in pool]
    assert not store.predictions('a').unreadable(ImageTable.of(pool)).any()


def test_a_list_that_a_killed_run_left_does_not_keep_pictures_unreadable(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    store.begin()
    pool = images(5)
    results = store.predictions('a')
    killed = store.work_list(pool, {'a': results})
    killed.write('a', 0, pool[:3], [Detections()] * 3, [None, None, 'Connection reset'])
    work = store.work_list(pool, {'a': results}, [2])
    listed = [each.key for part in work.unfinished() for each in work.images_of(part)[0]]
    assert listed == [each.key for each in pool[2:]]
    # While a run is at work, its list stays.
    with store.leases(killed.folder) as leases:
        assert leases.claim('00001')
        results.write('other', pool[3:4], [Detections()], ['Connection reset'])
        late = store.work_list(pool, {'a': results}, [2, 3])
        assert late.stem(0) == work.stem(0)


def test_a_manifest_that_was_changed_is_told(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images())
    manifest = tmp_path / store.predictions('a').folder / 'manifest.json'
    assert '"teacher": "a"' in manifest.read_text()
    manifest.write_text(manifest.read_text().replace('"a"', '"b"'))
    with pytest.raises(UserError, match=r'manifest\.json. is damaged, or of other results'):
        SmallStore(tmp_path).predictions('a')


def test_a_part_of_another_folder_is_told(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images(3), 'a', 'b')
    one, other = (tmp_path / store.predictions(name).folder for name in 'ab')
    (path,) = one.glob('*.parquet')
    path.rename(other / path.name)
    for index in other.glob('index-*'):
        index.unlink()
    with pytest.raises(UserError, match="is another folder's"):
        _check(SmallStore(tmp_path), images(3), 'b')


def test_what_was_deleted_is_made_again(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images())
    whole = files_below(tmp_path)
    folder = tmp_path / store.predictions('a').folder
    sorted(folder.glob('*.parquet'))[1].unlink()
    again = SmallStore(tmp_path)
    assert _made(again, images()) == 3
    _check(again, images())
    assert set(whole) - set(files_below(tmp_path))


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for root in ('one', 'other'):
        make(SmallStore(tmp_path / root), images(), 'a', 'b')
    assert files_below(tmp_path / 'one') == files_below(tmp_path / 'other')


def test_rows_may_carry_any_columns(tmp_path: Path) -> None:
    import pyarrow as pa

    from mmcompose.store.columns import PICTURE_FIELDS, picture_columns

    store = SmallStore(tmp_path)
    results = store.results('features', {'model': 'm', 'boxes_of': ['a', 'b']})
    fields = [*PICTURE_FIELDS, pa.field('features', pa.large_list(pa.float32()))]
    columns = {**picture_columns(images(2)), 'features': [[1.0, 2.0], []]}
    results.write_table('part', pa.table(columns, schema=pa.schema(fields)))
    assert not results.missing(ImageTable.of(images(2))).any()
    (name,) = results.parts.names()
    assert results.parts.read(name).column('features').to_pylist() == [[1.0, 2.0], []]


def test_what_is_gone_since_a_killed_run_wrote_its_list_is_made_again(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images(3), 'a')
    results = store.predictions('a')
    # Killed here; then the part before it is found damaged, and deleted as the message tells.
    assert store.work_list(images(7), {'a': results}).unfinished() == [0, 1]
    (name,) = results.parts.names()
    store.location.remove(results.folder, name)
    make(store, images(7), 'a')
    found = store.predictions('a').of(ImageTable.of(images(7)))
    for row, each in enumerate(images(7)):
        np.testing.assert_array_equal(found[row].boxes, boxes_of(each).boxes)
    assert store.location.names('work') == []


def test_results_of_a_pool_are_counted_from_the_end_and_sliced_as_a_list(tmp_path: Path) -> None:
    pool, store = images(7), SmallStore(str(tmp_path))
    make(store, pool)
    found = store.predictions('a').of(ImageTable.of(pool))
    expected = [boxes_of(each).boxes.tolist() for each in pool]
    assert found[-2].boxes.tolist() == expected[-2]
    assert [each.boxes.tolist() for each in found[2:-1:2]] == expected[2:-1:2]
    with pytest.raises(IndexError):
        found[7]
