"""Tests of walking through a config."""

from __future__ import annotations

from typing import Any

import pytest

from mmcompose.utils.config_tree import last_name, walk

CONFIG = {
    'pipeline': [{'type': 'A'}, {'type': 'B', 'transforms': [[{'type': 'C'}], [{'type': 'D'}]]}],
    'dataset': {'pool': {'type': 'E'}, 'size': (3, 4)},
    'type': 'F',
}


def test_every_dict_comes_with_its_exact_key() -> None:
    found = {key: each.get('type') for key, each in walk(CONFIG)}
    assert found == {
        '': 'F',
        'pipeline[0]': 'A',
        'pipeline[1]': 'B',
        'pipeline[1].transforms[0][0]': 'C',
        'pipeline[1].transforms[1][0]': 'D',
        'dataset': None,
        'dataset.pool': 'E',
    }


def test_it_goes_where_it_is_let() -> None:
    found = [key for key, _ in walk(CONFIG, 'data', lambda name: name in ('dataset', 'pool'))]
    assert found == ['data', 'data.dataset', 'data.dataset.pool']


@pytest.mark.parametrize('value', [3, 'text', None, [], [1, 2]])
def test_plain_values_hold_no_dict(value: Any) -> None:
    assert list(walk(value, 'a')) == []


def test_what_is_yielded_may_be_changed() -> None:
    config: dict[str, Any] = {'a': {'b': {}}}
    for _, each in walk(config):
        each['seen'] = True  # type: ignore[index]
    assert config == {'a': {'b': {'seen': True}, 'seen': True}, 'seen': True}


@pytest.mark.parametrize(
    ('key', 'name'), [('model.neck[1]', 'neck'), ('pipeline[0][1]', 'pipeline'), ('model', 'model')]
)
def test_the_last_name(key: str, name: str) -> None:
    assert last_name(key) == name
