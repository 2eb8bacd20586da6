"""Class names have one way in: lists, dicts, whatever a checkpoint holds."""

from __future__ import annotations

from typing import Any

import pytest

from mmcompose.class_space import (
    ClassSpace,
    check_order,
    class_names,
    is_placeholder,
    stored_names,
)
from mmcompose.class_space.spelling import same_but_for_spelling
from mmcompose.utils import UserError

DETR = ('N/A', 'person', 'N/A', 'car')


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (['cat', 'dog'], ('cat', 'dog')),
        ({0: 'cat', 1: 'dog'}, ('cat', 'dog')),
        ({'1': 'dog', '0': 'cat'}, ('cat', 'dog')),
        # Numbers count, wherever they begin, whatever is between.
        ({1: 'cat', 2: 'dog'}, ('', 'cat', 'dog')),
        ({0: 'cat', 2: 'dog'}, ('cat', '', 'dog')),
        (DETR, DETR),
        (['LABEL_0', 'cat', 'LABEL_2', '', ''], ('LABEL_0', 'cat', 'LABEL_2', '', '')),
        (['__background__', 'cat'], ('__background__', 'cat')),
        ([7, None], ('7', '')),
        # torchvision's map, one that has no object last, labelme's.
        (['__background__', 'cat', 'N/A', 'N/A'], ('__background__', 'cat', 'N/A', 'N/A')),
        (['cat', 'n/a', 'n/a', 'No-object'], ('cat', 'n/a', 'n/a', 'No-object')),
        (['__ignore__', '_background_', 'cat'], ('__ignore__', '_background_', 'cat')),
    ],
)
def test_names_by_label_number(given: Any, expected: tuple[str, ...]) -> None:
    assert class_names(given, 'classes') == expected


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ([], 'classes: is empty'),
        (['cat', 'cat'], "classes: 'cat' listed twice"),
        (['N/A', 'LABEL_1'], 'are placeholders; give class names'),
        ({'cat': 0}, "classes: 'cat' is no label number"),
        ({-1: 'cat'}, 'is no label number'),
        ({10**9: 'cat'}, 'is no label number'),
        ({1: 'cat', '1': 'dog'}, "classes: '1' is a label number that another key is too"),
        ('cat', "classes: 'cat' is not a list of class names"),
    ],
)
def test_what_names_no_classes_is_refused(given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        class_names(given, 'classes')


def test_placeholders_own_nothing() -> None:
    space = ClassSpace({'detr': DETR, 'hf': ('LABEL_0', 'car', '')})
    assert space.classes == ('person', 'car')
    assert space.teacher_index('detr').tolist() == [-1, 0, -1, 1]
    assert space.teacher_index('hf').tolist() == [-1, 1, -1]
    assert not is_placeholder('label')
    several = ('background', 'cat', 'n/a', '__ignore__', 'no object', 'Background ')
    assert ClassSpace({'several': several}).classes == ('cat',)
    # Who has it as a class maps it to itself.
    mapping = {'several': {'background': 'background'}}
    assert 'background' in ClassSpace({'several': several}, mapping=mapping).classes


@pytest.mark.parametrize(
    'meta',
    [
        {'dataset_meta': {'classes': ('cat', 'dog')}},
        {'dataset_meta': {'CLASSES': ['cat', 'dog']}},
        {'dataset_meta': {'classes': {0: 'cat', 1: 'dog'}}},
        {'CLASSES': ('cat', 'dog')},
        {'dataset_meta': None, 'CLASSES': ('cat', 'dog')},
        {'dataset_meta': {'palette': []}, 'CLASSES': ('cat', 'dog')},
        {'dataset_meta': ['cat', 'dog']},
        # A ConcatDataset whose parts differ in something else.
        {'dataset_meta': [{'classes': ('cat', 'dog'), 'year': year} for year in (2007, 2012)]},
    ],
)
def test_all_forms_that_mmdet_wrote_are_read(meta: dict[str, Any]) -> None:
    assert stored_names(meta) == ('cat', 'dog')


@pytest.mark.parametrize(
    'meta',
    [
        None,
        {},
        {'dataset_meta': {}},
        {'dataset_meta': {'classes': None}},
        {'dataset_meta': [{'classes': ('cat',)}, {'classes': ('dog',)}]},
        {'dataset_meta': [{'classes': ('cat',)}, {}]},
        {'CLASSES': None},
    ],
)
def test_where_nothing_is_named_or_parts_disagree_there_are_no_names(meta: Any) -> None:
    assert stored_names(meta) is None


def test_one_string_is_one_class() -> None:
    assert stored_names({'dataset_meta': {'classes': 'cat'}}) == ('cat',)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (
            ('tree', 'dog', 'cat'),
            "'tree' is given as class number 0, but in 'a.pth' it is number 2",
        ),
        (('cat', 'tree', 'x'), "'tree' is given as class number 1"),
        (('Dog', 'Cat', 'Tree'), "'Dog' is given as class number 0"),
        (('cat', 'dog'), "2 names are given, but 'a.pth' was trained on 3 classes"),
    ],
)
def test_stored_names_in_another_order_are_refused(given: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=f'^classes: {message}'):
        check_order(given, ('cat', 'dog', 'tree'), 'classes', "'a.pth'")


@pytest.mark.parametrize(
    'given',
    [('cat', 'dog', 'tree'), ('Katze', 'Hund', 'Baum'), ('Cat', 'dog', 'oak'), ('', 'dog', '')],
)
def test_names_may_be_translated(given: tuple[str, ...]) -> None:
    check_order(given, ('cat', 'dog', 'tree'), 'classes', "'a.pth'")


@pytest.mark.parametrize(
    'other',
    ['Person', 'person ', ' PERSON', 'persons', 'per-son', 'per_son', '\uff50erson'],
)
def test_names_that_differ_in_spelling_alone_are_found(other: str) -> None:
    assert same_but_for_spelling(['person', 'dog', other]) == [('person', other)]
    assert same_but_for_spelling([other, 'dog', 'person']) == [(other, 'person')]


def test_plurals_are_found() -> None:
    pairs = [('bus', 'buses'), ('box', 'boxes'), ('berry', 'berries'), ('Caf\u00e9', 'cafe\u0301s')]
    for pair in pairs:
        assert same_but_for_spelling(pair) == [pair]


@pytest.mark.parametrize(
    'names', [['car', 'cart'], ['bus', 'bu'], ['tv', 'tvs2'], ['a', 'as'], ['glass', 'gloss'], []]
)
def test_other_names_are_left_alone(names: list[str]) -> None:
    assert same_but_for_spelling(names) == []
