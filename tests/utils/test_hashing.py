"""Tests of fingerprints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmcompose.utils import file_fingerprint, fingerprint, lines_fingerprint


def test_the_order_of_keys_does_not_count() -> None:
    assert fingerprint({'a': 1, 'b': [2]}) == fingerprint({'b': [2], 'a': 1})


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ([1, 2], [2, 1]),
        ({'a': 1}, {'a': 2}),
        ({'a': None}, {}),
        ({'a': '1'}, {'a': 1}),
        ({'a': [['x', 1]]}, {'a': [['x'], 1]}),
    ],
)
def test_different_values_have_different_fingerprints(one: object, other: object) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_arrays_tuples_paths_sets_and_classes_stand_for_their_plain_forms() -> None:
    fancy = {'a': np.array([1, 2]), 'b': (1,), 'c': Path('x/y'), 'd': {'q', 'p'}}
    assert fingerprint(fancy) == fingerprint({'a': [1, 2], 'b': [1], 'c': 'x/y', 'd': ['p', 'q']})
    assert fingerprint(Path) == fingerprint('pathlib.Path')


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match='cannot fingerprint'):
        fingerprint({'a': object()})


def test_lines_do_not_run_into_each_other() -> None:
    assert lines_fingerprint(['ab', 'c']) != lines_fingerprint(['a', 'bc'])


def test_a_file_is_addressed_by_its_content(tmp_path: Path) -> None:
    one, other = tmp_path / 'one', tmp_path / 'other'
    one.write_bytes(b'same')
    other.write_bytes(b'same')
    assert file_fingerprint(one) == file_fingerprint(other)
    other.write_bytes(b'Same')
    assert file_fingerprint(one) != file_fingerprint(other)
