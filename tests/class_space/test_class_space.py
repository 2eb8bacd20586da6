"""ClassSpace: which class of each teacher is which of the student's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmcompose.class_space import ClassSpace
from mmcompose.structures import Detections
from mmcompose.utils import UserError

VOC = ['aeroplane', 'diningtable', 'motorbike', 'pottedplant', 'sofa', 'tvmonitor']
COCO = ['airplane', 'motorcycle', 'couch', 'potted plant', 'dining table', 'tv']
KEY = r'composition\.class_space'


@pytest.mark.parametrize(
    ('teachers', 'arguments', 'classes', 'indices'),
    [
        pytest.param(
            {'a': ['cat', 'dog'], 'b': ['bird', 'cat']},
            {},
            ['cat', 'dog', 'bird'],
            {'a': [0, 1], 'b': [2, 0]},
            id='union in order of first sight',
        ),
        pytest.param(
            {'a': ['cat', 'dog'], 'b': ['bird', 'cat']},
            {'classes': ['bird', 'dog', 'cat']},
            ['bird', 'dog', 'cat'],
            {'a': [2, 1], 'b': [0, 2]},
            id='explicit, in its own order',
        ),
        pytest.param(
            {'a': ['cat'], 'b': ['cat', 'bird']},
            {'classes': ['cat'], 'on_unmapped': 'drop'},
            ['cat'],
            {'a': [0], 'b': [0, -1]},
            id='drop what is unmapped',
        ),
        pytest.param(
            {'a': ['sofa'], 'b': ['couch', 'cat']},
            {'aliases': ['voc-coco']},
            ['sofa', 'cat'],
            {'a': [0], 'b': [0, 1]},
            id='a shipped table; the first spelling stays',
        ),
        pytest.param(
            {'a': ['sofa'], 'b': ['couch', 'TV']},
            {'classes': ['tv', 'couch'], 'aliases': ['voc-coco', {'tv': ['TV']}]},
            ['tv', 'couch'],
            {'a': [1], 'b': [1, 0]},
            id='tables and a dict; the student spells it its own way',
        ),
        pytest.param(
            {'a': ['car'], 'b': ['truck', 'toilet', 'car']},
            {'mapping': {'b': {'truck': 'car', 'toilet': None}}},
            ['car'],
            {'a': [0], 'b': [0, -1, 0]},
            id='mapping joins and drops',
        ),
        pytest.param(
            {'a': ['car'], 'b': ['car']},
            {'mapping': {'b': {'car': 'toy car'}}},
            ['car', 'toy car'],
            {'a': [0], 'b': [1]},
            id='mapping goes before names',
        ),
        pytest.param(
            {'a': ['sofa'], 'b': ['bench']},
            {'mapping': {'b': {'bench': 'couch'}}, 'aliases': ['voc-coco']},
            ['sofa'],
            {'a': [0], 'b': [0]},
            id='mapping to an alias',
        ),
    ],
)
def test_classes_and_indices(
    teachers: dict[str, list[str]],
    arguments: dict[str, Any],
    classes: list[str],
    indices: dict[str, list[int]],
) -> None:
    space = ClassSpace(teachers, **arguments)
    assert list(space.classes) == classes
    assert {name: space.teacher_index(name).tolist() for name in teachers} == indices
    assert space.teachers == tuple(teachers)


@pytest.mark.parametrize('order', [('voc', 'coco'), ('coco', 'voc')])
def test_voc_and_coco_spell_six_classes_differently(order: tuple[str, str]) -> None:
    spelled = {'voc': VOC, 'coco': COCO}
    space = ClassSpace({name: spelled[name] for name in order}, aliases=['voc-coco'])
    assert len(space.classes) == 6
    assert space.owners.all()
    same = dict(zip(space.index(VOC).tolist(), VOC, strict=True))
    assert [same[i] for i in space.index(COCO).tolist()] == [
        'aeroplane',
        'motorbike',
        'sofa',
        'pottedplant',
        'diningtable',
        'tvmonitor',
    ]


def test_owners_are_those_who_know_the_class() -> None:
    space = ClassSpace({'a': ['cat', 'dog'], 'b': ['dog', 'rug']}, mapping={'b': {'rug': None}})
    assert space.owners.tolist() == [[True, False], [True, True]]
    with pytest.raises(ValueError, match='read-only'):
        space.owners[0, 0] = False


@pytest.mark.parametrize('names', [np.array(['cat', 'dog']), {'cat': 1, 'dog': 2}.keys()])
def test_names_of_an_array_or_of_keys_are_names(names: Any) -> None:
    assert ClassSpace({'a': names}).classes == ('cat', 'dog')


def test_placeholders_of_unused_ids_are_no_classes() -> None:
    space = ClassSpace({'a': ['N/A', 'cat', 'N/A'], 'b': ['__background__', 'cat']})
    assert space.classes == ('cat',)
    assert space.teacher_index('a').tolist() == [-1, 0, -1]
    explicit = ClassSpace({'a': ['N/A', 'cat']}, classes=['cat'])
    assert explicit.teacher_index('a').tolist() == [-1, 0]


def test_a_class_that_nobody_owns_is_allowed() -> None:
    space = ClassSpace({'a': ['cat']}, classes=['cat', 'unicorn'])
    assert space.owners.tolist() == [[True], [False]]


def test_detections_are_converted_and_dropped_with_their_boxes() -> None:
    space = ClassSpace(
        {'a': ['cat', 'dog'], 'b': ['rug', 'dog', 'cat']}, mapping={'b': {'rug': None}}
    )
    said = Detections.from_arrays([[0, 0, i, i] for i in (1, 2, 3)], [0.1, 0.2, 0.3], [2, 0, 1])
    converted = space.convert('b', said)
    assert converted.labels.tolist() == [0, 1]
    assert converted.boxes[:, 2].tolist() == [1, 3]
    assert converted.scores.tolist() == pytest.approx([0.1, 0.3])
    assert converted.labels.dtype == np.int64


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (
            {'classes': ['cat'], 'mapping': {}},
            [rf"^{KEY}: 2 classes of teacher b are no class of the student: 'dogs', 'bird'"],
        ),
        (
            {'classes': ['cat', 'dog']},
            [r"'dogs' \(did you mean 'dog'\?\)", r'mapping\.b', "on_unmapped='drop'"],
        ),
        ({'on_unmapped': 'ignore'}, [rf"^{KEY}.on_unmapped: 'ignore' is neither"]),
        ({'mapping': {'c': {}}}, [rf"^{KEY}.mapping: 'c' is not a teacher"]),
        (
            {'mapping': {'b': {'dgos': 'cat'}}},
            [rf"^{KEY}.mapping.b: 'dgos' is not a class of teacher b; did you mean 'dogs'"],
        ),
        (
            {'classes': ['cat'], 'mapping': {'b': {'dogs': 'cta', 'bird': None}}},
            [rf"^{KEY}.mapping.b.dogs: 'cta' is not a class of the student; did you mean 'cat'"],
        ),
        ({'classes': []}, [rf'^{KEY}.classes: is empty']),
        ({'classes': ['cat', 'cat']}, [rf"^{KEY}.classes: 'cat' is listed twice"]),
        (
            {'classes': ['sofa', 'couch'], 'aliases': ['voc-coco']},
            [rf"^{KEY}.aliases: one class has two names .*'sofa' and 'couch'"],
        ),
        ({'aliases': ['voc-coca']}, [rf"^{KEY}.aliases: 'voc-coca' .*did you mean 'voc-coco'"]),
        ({'aliases': [{'tv': 'TV'}]}, [rf"^{KEY}.aliases\[0\].tv: 'TV' is not a list"]),
        (
            {'mapping': {'a': {'cat': None}, 'b': dict.fromkeys(['cat', 'dogs', 'bird'])}},
            [rf'^{KEY}.mapping: drops every class of the teachers'],
        ),
        ({'aliases': [3]}, [rf'^{KEY}.aliases\[0\]: 3 is not a string or a dict']),
        ({'aliases': 'voc-coco'}, [rf"^{KEY}.aliases: 'voc-coco' is not a list"]),
        ({'aliases': [{'tv': [['TV']]}]}, [rf'^{KEY}.aliases\[0\].tv\[0\]: .* is not a string']),
        ({'classes': 'cat'}, [rf"^{KEY}.classes: 'cat' is not a list"]),
        ({'classes': [['cat']]}, [rf'^{KEY}.classes\[0\]: .* is not a string']),
        ({'classes': ['cat', ' ']}, [rf"^{KEY}.classes: ' ' is no class name"]),
        ({'mapping': ['b']}, [rf'^{KEY}.mapping: .* is not a dict']),
        ({'mapping': {'b': None}}, [rf'^{KEY}.mapping.b: None is not a dict']),
        ({'mapping': {'b': {1: 'cat'}}}, [rf'^{KEY}.mapping.b: 1 is not a string, as a name here']),
        (
            {'mapping': {'b': {'bird': ''}}},
            [rf"^{KEY}.mapping.b.bird: '' is no class name; None drops the class"],
        ),
        ({'hierarchy': {'cat': None}}, [rf'^{KEY}.hierarchy.cat: None is not a list']),
        (
            {'aliases': [{'car': ['auto'], 'bus': ['auto']}]},
            [rf"^{KEY}.aliases: 'auto' points at two classes, 'car' and 'bus'"],
        ),
    ],
)
def test_mistakes_are_told_with_the_key(arguments: dict[str, Any], told: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        ClassSpace({'a': ['cat'], 'b': ['cat', 'dogs', 'bird']}, **arguments)
    assert all(caught.match(part) for part in told)


def test_every_unmapped_teacher_is_told_at_once() -> None:
    with pytest.raises(UserError) as caught:
        ClassSpace({'a': ['cat'], 'b': ['dog']}, classes=['cow'])
    assert len(caught.value.lines) == 2
