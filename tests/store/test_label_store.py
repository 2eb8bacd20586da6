"""Tests of LabelStore and of labels: made in parts, joined, mapped, refused when they are old."""

from __future__ import annotations

import json
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.store import LabelResult, LabelStore, Leases
from mmcompose.structures import Image, encode_masks
from mmcompose.utils import UserError, fault
from tests.store.toys import SmallStore, boxes_of, image, images, location_of
from tests.toys import files_below


@pytest.fixture(params=['local', 'memory', 's3'])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LabelStore:
    """An empty store, here and elsewhere."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return SmallStore(location_of(request))


def _labels(store: LabelStore, pool: list[Image] | None = None, **made_of: Any) -> LabelResult:
    return store.labels({'pipeline': 1, **made_of}, images() if pool is None else pool)


def _make(result: LabelResult, **more: Any) -> None:
    result.write_learned([{'a': 1.5}])
    for part in result.unfinished():
        rows = result.rows_of(part)
        result.write(part, [boxes_of(result.images[row], **more) for row in rows])


def test_labels_are_read_in_the_pools_order(store: LabelStore) -> None:
    result = _labels(store)
    assert result.read() is None and result.unfinished() == [0, 1, 2]
    _make(result)
    for again in (result, _labels(store)):
        table = again.read()
        assert table is not None and again.unfinished() == []
        assert table.keys == [each.key for each in images()]
        for row, each in enumerate(images()):
            np.testing.assert_array_equal(table[row].boxes, boxes_of(each).boxes)
        assert again.read_learned() == [{'a': 1.5}]
    opened = store.open_labels(result.fingerprint)
    assert opened.path == table.path and opened.fingerprint == result.fingerprint


def test_labels_of_a_local_store_are_not_kept_twice(tmp_path: Path) -> None:
    result = _labels(SmallStore(tmp_path))
    _make(result)
    assert result.read() is not None
    kinds = sorted(path.suffix for path in (tmp_path / result.folder).iterdir())
    assert kinds == ['.arrow', '.json', '.json']


def _claimed_elsewhere(store: LabelStore, result: LabelResult) -> None:
    """Leave the claim of a process of another machine, which is never renewed."""
    _make(result)
    lease = json.dumps({'owner': 'elsewhere:1:x', 'beat': 3}).encode()
    store._mapped.write(lease, result.folder, 'join.lease')


def test_labels_that_a_process_died_joining_are_joined_by_another(
    store: LabelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('mmcompose.store.label_result.Leases', partial(Leases, seconds=0.5))
    result = _labels(store)
    _claimed_elsewhere(store, result)
    tries: list[float] = []

    def check() -> None:
        tries.append(time.monotonic())
        assert tries[-1] - tries[0] < 20

    table = result.read(check)
    assert table is not None and len(table) == len(images()) and tries
    assert 'join.lease' not in store._mapped.names(result.folder)


def test_a_wait_for_labels_ends_with_what_is_raised(store: LabelStore) -> None:
    result = _labels(store)
    _claimed_elsewhere(store, result)

    def check() -> None:
        raise UserError(fault('--launcher', 'process 1 of 2 has ended'))

    with pytest.raises(UserError, match='process 1 of 2'):
        result.read(check)


@pytest.mark.parametrize(
    'pool',
    [images(6), images()[::-1], [*images(6), image('006.png', 11)]],
    ids=['fewer', 'order', 'changed'],
)
def test_another_pool_has_other_labels(pool: list[Image], store: LabelStore) -> None:
    assert _labels(store, pool).fingerprint != _labels(store).fingerprint


def test_labels_of_other_things_have_another_address(store: LabelStore) -> None:
    assert _labels(store, pipeline=2).fingerprint != _labels(store).fingerprint


def test_masks_of_some_pictures_are_read(store: LabelStore) -> None:
    result = _labels(store)
    result.write_learned([])
    for part in range(3):
        rows = result.rows_of(part)
        pool = [result.images[row] for row in rows]
        full = encode_masks(np.ones((3, 64, 96), bool))
        more = [{'masks': full[: len(boxes_of(each))]} if part == 1 else {} for each in pool]
        result.write(part, [boxes_of(e, **m) for e, m in zip(pool, more, strict=True)])
    table = result.read()
    assert table is not None and table.has_masks
    assert table[0].masks is None and table[3].masks is not None


@pytest.mark.parametrize('masks', [False, True], ids=['boxes', 'masks'])
def test_who_was_not_asked_of_a_picture_is_read(masks: bool, store: LabelStore) -> None:
    every: tuple[dict[int, tuple[int, ...]], ...] = ({}, {2: (0,), 4: (0, 2), 6: (1,)})
    for number, unasked in enumerate(every):
        result = _labels(store, pipeline=number)
        result.write_learned([])
        for part in range(3):
            rows = result.rows_of(part)
            found = [boxes_of(result.images[row]) for row in rows]
            if masks and part == 1:
                full = encode_masks(np.ones((3, 64, 96), bool))
                found = [each.with_fields(masks=full[: len(each)]) for each in found]
            result.write(part, found, unasked=[unasked.get(row, ()) for row in rows])
        table = result.read()
        assert table is not None and table.has_masks == masks
        assert table.has_unasked == bool(unasked)
        each = [unasked.get(n, ()) for n in range(7)]
        assert [table.unasked(row) for row in range(7)] == each
        assert table.count_unasked() == Counter(each)
        rows = np.array([4, 4, 0, 6])
        assert table.count_unasked(rows) == Counter(each[row] for row in rows)
        assert table.count_unasked(rows[:0]) == {}


def test_why_pictures_are_left_out_is_read(store: LabelStore) -> None:
    result = _labels(store)
    result.write_learned([])
    for part in range(3):
        rows = result.rows_of(part)
        reasons = ['is broken' if row == 4 else None for row in rows]
        result.write(part, [boxes_of(result.images[row]) for row in rows], reasons)
    table = result.read()
    assert table is not None and table.unreadable() == {4: 'is broken'}


def test_labels_that_are_gone_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='was deleted while it was in use'):
        SmallStore(tmp_path).open_labels('0' * 16)


@pytest.mark.parametrize(
    ('file', 'content'),
    [
        ('predictions/0123/manifest.json', json.dumps({'format': 2})),
        ('labels/0123/shard-00000.parquet', ''),
        ('store.json', json.dumps({'format': 4})),
        ('store.json', '{'),
    ],
    ids=['predictions', 'labels', 'newer', 'damaged'],
)
def test_a_store_of_another_format_is_told_with_what_to_do(
    file: str, content: str, tmp_path: Path
) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content)
    before = files_below(tmp_path)
    acts = (
        lambda s: s.predictions('a'),
        lambda s: _labels(s),
        lambda s: s.pool_index({'folder': 'a'}),
        lambda s: s.begin(),
    )
    for act in acts:
        with pytest.raises(UserError, match='`mmcompose label CONFIG`') as caught:
            act(SmallStore(tmp_path))
        assert '\n' not in str(caught.value)
    assert files_below(tmp_path) == before


def test_what_a_step_learned_is_kept_by_what_made_it(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / 'store')
    store.begin()
    result = store.learned({'steps': [1]}, images(3))
    assert result.read_learned() is None
    result.write_learned({'thresholds': {'a': 0.5}})
    again = store.learned({'steps': [1]}, images(3))
    assert again.read_learned() == {'thresholds': {'a': 0.5}}
    assert store.learned({'steps': [1, 2]}, images(3)).read_learned() is None
    assert store.learned({'steps': [1]}, images(4)).read_learned() is None


def test_states_of_parts_are_kept_until_something_is_learned(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / 'store')
    store.part_size = 2
    store.begin()
    result = store.learned({'steps': [1]}, images(5))
    assert result.unfinished(0) == [0, 1, 2]
    assert [result.rows_of(part) for part in range(3)] == [range(2), range(2, 4), range(4, 5)]
    for part in (2, 0):
        result.write_state(0, part, {'counts': np.array([part])})
    assert result.unfinished(0) == [1] and result.unfinished(1) == [0, 1, 2]
    result.write_state(0, 1, {'counts': np.array([1])})
    states = list(store.learned({'steps': [1]}, images(5)).read_states(0))
    assert [state['counts'].tolist() for state in states] == [[0], [1], [2]]
    result.write_learned({})
    assert result.unfinished(1) == []
    result.forget_states(0)
    assert list(result.read_states(0)) == []
    # Of no images it is learned that there are none.
    assert store.learned({'steps': [1]}, images(0)).unfinished(0) == [0]


def test_states_that_serve_other_arguments_too_stay(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / 'store')
    store.part_size = 2
    store.begin()
    first = store.learned({'keep': 0.5}, images(3), {'steps': []})
    for part in range(2):
        first.write_state(0, part, {'counts': np.array([part])})
    first.write_learned({'threshold': 0.5})
    first.forget_states(0)
    other = store.learned({'keep': 0.6}, images(3), {'steps': []})
    assert other.read_learned() is None and other.unfinished(0) == []
    assert [state['counts'].tolist() for state in other.read_states(0)] == [[0], [1]]
    # Of other pictures, or behind other steps, they are others.
    assert store.learned({'keep': 0.6}, images(2), {'steps': []}).unfinished(0) == [0]
    assert store.learned({'keep': 0.6}, images(3), {'steps': [1]}).unfinished(0) == [0, 1]


def test_labels_of_a_store_that_was_deleted_are_not_those_of_the_next(store: LabelStore) -> None:
    """Of one that is not on this machine, labels are mapped from here."""
    store.begin()
    _make(_labels(store))
    assert _labels(store).read() is not None
    for name in store.location.names():
        if '.' in name:
            store.location.remove(name)
        else:
            store.location.remove_folder(name)
    again = SmallStore(store.location.url)
    assert _labels(again).read() is None
    again.begin()
    made = _labels(again)
    assert made.unfinished() == [0, 1, 2] and made.read_learned() is None
    _make(made)
    assert made.read() is not None


def test_a_part_that_two_processes_made_is_joined_once(store: LabelStore) -> None:
    result = _labels(store)
    _make(result)
    # Another machine took over what a slow one was at, and a score differs in its last bit.
    rows = result.rows_of(1)
    found = [boxes_of(result.images[row]) for row in rows]
    result.write(1, [each.with_fields(scores=each.scores * np.float32(1 - 1e-6)) for each in found])
    table = _labels(store).read()
    assert table is not None and table.keys == [each.key for each in images()]
    kept = [name for name in store.location.names(result.folder) if name.endswith('.parquet')]
    assert kept == [] or not store.location.is_local
