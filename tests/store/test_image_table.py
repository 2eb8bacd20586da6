"""Tests of ImageTable: images as columns, and what addresses a list of them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcompose.store import ImageTable
from mmcompose.structures import Image
from tests.store.toys import image, images


def _fields(each: Image) -> tuple[object, ...]:
    return each.key, each.path, each.width, each.height, each.num_bytes


KEYS = st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs']), min_size=1)


# The first table imports pandas.
@settings(deadline=None)
@given(st.lists(st.tuples(KEYS, st.none() | st.integers(0, 2**40)), unique_by=lambda x: x[0]))
def test_images_come_back_as_they_were(pairs: list[tuple[str, int | None]]) -> None:
    pool = [image(key, num_bytes) for key, num_bytes in pairs]
    table = ImageTable.of(pool)
    assert [*map(_fields, table)] == [*map(_fields, pool)]
    assert [_fields(table[row]) for row in range(len(pool))] == [*map(_fields, pool)]
    assert [*map(_fields, table[1:3])] == [*map(_fields, pool[1:3])]


def test_a_file_name_that_is_not_unicode_is_read_from_its_path(tmp_path: Path) -> None:
    name = os.fsdecode(b'caf\xe9.png')
    (tmp_path / name).write_bytes(b'x')
    pool = ImageTable.of([Image(name, str(tmp_path / name), 1, 1)])
    assert Path(pool[0].path).read_bytes() == b'x'
    assert pool[0].key == 'caf\\udce9.png' and pool.fingerprint


def test_a_long_list_travels_as_a_path(tmp_path: Path) -> None:
    pool = ImageTable.of(images(5000))
    saved = pool.save(tmp_path / 'pool.arrow')
    sent = pickle.dumps(saved)
    assert len(sent) < 300
    again = pickle.loads(sent)
    assert again.fingerprint == pool.fingerprint
    assert [*map(_fields, again)] == [*map(_fields, pool)]


def test_rows_are_taken_in_the_order_given() -> None:
    taken = ImageTable.of(images()).take(np.array([4, 0]))
    assert [each.key for each in taken] == ['004.png', '000.png']


OTHERS = {
    'fewer': images()[:6],
    'order': images()[::-1],
    'key': [*images()[:6], image('7.png')],
    'width': [*images()[:6], image('006.png', size=(97, 64))],
    'height': [*images()[:6], image('006.png', size=(96, 65))],
    'bytes': [*images()[:6], image('006.png', 11)],
    'bytes not known': [*images()[:6], image('006.png', None)],
    'a letter that moved': [image('000.png0'), image('01.png'), *images()[2:]],
}


@pytest.mark.parametrize('other', OTHERS.values(), ids=OTHERS)
def test_another_list_has_another_address(other: list[Image]) -> None:
    assert ImageTable.of(other).fingerprint != ImageTable.of(images()).fingerprint


def test_a_pool_that_moved_has_the_same_address() -> None:
    moved = images()
    for each in moved:
        each.path = f'/elsewhere/{each.key}'
    assert ImageTable.of(moved).fingerprint == ImageTable.of(images()).fingerprint
