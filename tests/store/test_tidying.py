"""Tests of what tidies a store up: nothing that is of use goes, and no result changes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmcompose.store import PART_SIZE, ImageTable, LabelStore
from mmcompose.store.contents import folders
from mmcompose.store.leases import machine
from mmcompose.store.location import Location
from mmcompose.store.tidying import collect_garbage, compact
from mmcompose.store.verifying import verify
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.store.toys import SmallStore, boxes_of, images, make, memory, parts_of
from tests.toys import files_below


@pytest.fixture(params=['local', 'memory'])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LabelStore:
    """A store of two teachers, in small parts, the last of a pool that grew picture by picture."""
    store = SmallStore(tmp_path if request.param == 'local' else memory())
    make(store, images(7), 'a', 'b')
    for count in (8, 9, 10):
        make(store, images(count), 'a')
    return store


def _check(store: LabelStore) -> None:
    for maker, count in (('a', 10), ('b', 7)):
        found = store.predictions(maker).of(ImageTable.of(images(count)))
        for row, each in enumerate(images(count)):
            np.testing.assert_array_equal(found[row].boxes, boxes_of(each).boxes)
    assert all(wrong is None for _, wrong in verify(store.location))


def test_small_parts_become_one(store: LabelStore) -> None:
    assert compact(store.location) == 6 + 3
    assert [len(part) for part in parts_of(store.predictions('a'))] == [10]
    _check(store)
    assert compact(store.location) == 0
    make(store, images(11), 'a')
    assert compact(store.location) == 2
    assert [len(part) for part in parts_of(store.predictions('a'))] == [11]


def test_parts_grow_no_longer_than_told(store: LabelStore) -> None:
    compact(store.location, 4)
    assert all(len(part) <= 4 for part in parts_of(store.predictions('a')))
    _check(store)


def test_parts_grow_no_larger_in_bytes_than_told(store: LabelStore) -> None:
    made = store.predictions('a')
    sizes = [store.location.size(made.folder, name) for name in made.parts.names()]
    # Room for any two of six, and not for three.
    compact(store.location, num_bytes=2 * max(sizes))
    assert 3 <= len(made.parts.names()) < len(sizes)
    _check(store)


def test_pictures_that_two_runs_made_by_turns_are_read_part_by_part_once(tmp_path: Path) -> None:
    """Parts of as many features as the default label pipeline makes, which fill 18 MB each."""
    pool = images(2 * PART_SIZE)
    places = np.zeros((80, 432), np.float16)
    found = Detections(
        np.tile(np.array([[0, 0, 8, 8]], np.float32), (80, 1)),
        np.ones(80, np.float32),
        np.zeros(80, np.int64),
        features=places,
    )
    store = LabelStore(tmp_path)
    store.begin()
    for turn in range(2):
        own = pool[turn::2]
        store.features('toy').write(f'run-{turn}', own, [found] * len(own))
    compact(store.location)
    made = store.features('toy')
    reads = []
    load = made.parts._load
    made.parts._load = lambda *arguments: reads.append(arguments) or load(*arguments)
    table = made.of(ImageTable.of(pool))
    assert all(len(table[row]) == 80 for row in range(8))
    assert len(made.parts.names()) == len(reads) == 2


def test_a_picture_that_two_runs_made_is_kept_once(store: LabelStore) -> None:
    again = store.predictions('b')
    again.write('other', images(7), [boxes_of(each) for each in images(7)])
    compact(store.location)
    assert [len(part) for part in parts_of(store.predictions('b'))] == [7]
    _check(store)


def test_what_was_left_behind_goes_and_nothing_else(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images(7), 'a', 'b')
    whole = files_below(tmp_path)
    folder = tmp_path / store.predictions('a').folder
    (folder / '.part.parquet.0.tmp').write_bytes(b'half')
    (folder / '00000.lease').write_bytes(b'')
    store.work_list(images(9), {'a': store.predictions('a')})
    between = store.step_boxes({'teachers': [['one', 'a']], 'before': 2}, images(2))
    between.write(0, [boxes_of(each) for each in images(2)])
    gone = collect_garbage(store.location, ['a', 'b'])
    assert len(gone) == 4
    assert files_below(tmp_path) == whole
    assert collect_garbage(store.location) == []


def test_boxes_that_are_half_removed_are_in_nobodys_way(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images(2), 'a')
    between = store.step_boxes({'before': 2}, images(2))
    between.write(0, [boxes_of(each) for each in images(2)])
    # As a run that is killed while it removes them leaves them.
    (tmp_path / between.folder / 'manifest.json').unlink()
    assert [each.kind for each in folders(store.location)] == ['predictions']
    assert not any(dict(verify(store.location)).values())
    assert collect_garbage(store.location, ['a']) == ['boxes']


def test_what_a_run_gives_back_meanwhile_is_passed_over(
    store: LabelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, claim = store.predictions('a').folder, '00000.lease'
    before = {each.path: each.files for each in folders(store.location)}
    store.location.write(b'', folder, claim)
    size = Location.size

    def given_back(self: Location, *parts: str) -> int:
        if parts[-1] == claim:
            self.remove(*parts)
        return size(self, *parts)

    monkeypatch.setattr(Location, 'size', given_back)
    assert {each.path: each.files for each in folders(store.location)} == before


def test_a_half_written_list_of_a_pool_is_no_damage_and_goes(store: LabelStore) -> None:
    store.location.write(b'half', 'pools', '.list.arrow.0.tmp')
    assert not any(dict(verify(store.location)).values())
    assert collect_garbage(store.location) == ['pools/.list.arrow.0.tmp']
    assert store.location.names('pools') == []


def test_what_a_file_browser_leaves_is_no_folder_of_results(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images(7), 'a')
    (tmp_path / 'predictions' / '.DS_Store').touch()
    assert collect_garbage(store.location) == []
    assert [each.kind for each in folders(store.location)] == ['predictions']


def test_what_is_made_of_teachers_that_nobody_has_goes(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images(7), 'a', 'b')
    for teachers in ([['one', 'a']], [['one', 'a'], ['two', 'b']]):
        store.labels({'teachers': teachers}, images(7)).write_learned([])
    gone = collect_garbage(store.location, ['a'])
    assert store.predictions('b').folder in gone and len(gone) == 2
    assert not store.predictions('a').missing(ImageTable.of(images(7))).any()
    assert len(list((tmp_path / 'labels').iterdir())) == 1


def test_features_that_nobody_compares_go(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    for identity in ('here', 'gone'):
        store.features(identity).write('part', images(2), [boxes_of(each) for each in images(2)])
        made_of = {'teachers': [['one', 'a']], 'features': identity}
        store.labels(made_of, images(2)).write_learned([])
    store.labels({'teachers': [['one', 'a']], 'features': None}, images(2)).write_learned([])
    gone = collect_garbage(store.location, ['a', 'here'])
    assert store.features('gone').folder in gone and len(gone) == 2
    assert {each.kind for each in folders(store.location)} == {'features', 'labels'}
    assert sum(each.kind == 'labels' for each in folders(store.location)) == 2


@pytest.mark.parametrize('act', [collect_garbage, compact])
def test_a_store_in_use_is_left_alone(
    act: object, store: LabelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process of another machine, which renews its claim."""

    def renew(_: float = 0, beat: int = 4) -> None:
        lease = json.dumps({'owner': 'elsewhere:1:x', 'beat': beat}).encode()
        store.location.write(lease, 'work', 'run', '00000.lease')

    renew(beat=3)
    clock = SimpleNamespace(sleep=renew, monotonic=time.monotonic)
    monkeypatch.setattr('mmcompose.store.leases.time', clock)
    with pytest.raises(UserError, match='is in use'):
        act(store.location)  # type: ignore[operator]


def test_each_damaged_file_is_named(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    make(store, images(7), 'a', 'b')
    sound = dict(verify(store.location))
    assert len(sound) == 2 * 4 and not any(sound.values())
    damaged = sorted(tmp_path.rglob('*.parquet'))[::2]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-1])
    manifest = tmp_path / store.predictions('b').folder / 'manifest.json'
    told = [str(wrong) for _, wrong in verify(store.location) if wrong is not None]
    assert [str(path) in line for path, line in zip(damaged, told, strict=True)] == [True] * 3
    manifest.write_text('{}')
    assert any(
        wrong is not None and str(manifest) in str(wrong) for _, wrong in verify(store.location)
    )


def test_claims_alone_are_no_results(tmp_path: Path) -> None:
    """A run was killed when it had claimed what it was to make, and made nothing."""
    store = SmallStore(tmp_path)
    make(store, images(7), 'a')
    died = subprocess.Popen([sys.executable, '-c', ''])
    died.wait()
    owner = {'owner': f'{machine()}:{died.pid}:x', 'beat': 0}
    store.location.write(json.dumps(owner).encode(), 'learned', 'f' * 16, '00000.lease')
    (tmp_path / 'learned' / ('e' * 16)).mkdir()
    assert [each.kind for each in folders(store.location)] == ['predictions']
    assert all(wrong is None for _, wrong in verify(store.location))
    assert compact(store.location) == 3
    gone = collect_garbage(store.location)
    assert sorted(gone) == [f'learned/{"e" * 16}', f'learned/{"f" * 16}']
    assert store.location.names('learned') == []


def test_a_file_that_a_run_replaces_meanwhile_is_passed_over(
    store: LabelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Location.read

    def replaced(self: Location, *parts: str) -> bytes:
        if parts[-1].startswith('index-'):
            raise FileNotFoundError(parts[-1])
        return read(self, *parts)

    before = [name for name, _ in verify(store.location)]
    monkeypatch.setattr(Location, 'read', replaced)
    after = list(verify(store.location))
    assert [name for name, _ in after] == [n for n in before if '/index-' not in n]
    assert len(after) < len(before) and all(wrong is None for _, wrong in after)
