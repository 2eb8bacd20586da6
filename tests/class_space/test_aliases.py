"""Alias groups and the shipped tables."""

from __future__ import annotations

import itertools

import pytest

from mmcompose.class_space import ALIAS_TABLES, AliasGroups


def test_groups_that_share_a_name_are_one() -> None:
    groups = AliasGroups([{'tv': ['TV']}, {'tvmonitor': ['tv']}, {'TV': ['telly']}])
    for name in ('tv', 'TV', 'tvmonitor', 'telly'):
        assert set(groups.group(name)) == {'tv', 'TV', 'tvmonitor', 'telly'}
    assert groups.group('cat') == ('cat',)


@pytest.mark.parametrize('table', ALIAS_TABLES)
def test_a_table_names_no_class_twice(table: str) -> None:
    content = ALIAS_TABLES[table]
    names = [*content, *(synonym for synonyms in content.values() for synonym in synonyms)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize('pair', list(itertools.combinations(ALIAS_TABLES, 2)), ids='+'.join)
def test_tables_can_be_combined(pair: tuple[str, str]) -> None:
    AliasGroups(pair)


def test_all_tables_can_be_combined() -> None:
    groups = AliasGroups(ALIAS_TABLES)
    assert 'couch' in groups.group('sofa')


@pytest.mark.parametrize(
    ('table', 'name', 'other'),
    [
        ('voc-coco', 'pottedplant', 'potted plant'),
        ('mmdet-coco', 'traffic_light', 'traffic light'),
        ('coco91-coco', 'mobile phone', 'cell phone'),
        ('objects365-coco', 'Moniter/TV', 'tv'),
        ('openimages-coco', 'Cattle', 'cow'),
        ('openimages-coco', 'Computer mouse', 'mouse'),
        ('lvis-coco', 'car_(automobile)', 'car'),
    ],
)
def test_names_of_other_data_sets(table: str, name: str, other: str) -> None:
    assert other in AliasGroups([table]).group(name)


def test_an_animal_is_no_computer_mouse() -> None:
    assert AliasGroups(['openimages-coco']).group('Mouse') == ('Mouse',)
