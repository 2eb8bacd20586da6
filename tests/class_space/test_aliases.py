"""Alias groups and the shipped tables."""

from __future__ import annotations

import ast
import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import pytest

from mmcompose.class_space import ALIAS_TABLES, AliasGroups, ClassSpace, shipped_ties


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
        ('lvis-coco', 'baby', 'person'),
    ],
)
def test_names_of_other_data_sets(table: str, name: str, other: str) -> None:
    assert other in AliasGroups([table]).group(name)


def test_an_animal_is_no_computer_mouse() -> None:
    assert AliasGroups(['openimages-coco']).group('Mouse') == ('Mouse',)


@pytest.fixture(scope='module')
def class_names() -> ModuleType:
    """MMDetection's lists of class names, without the rest of it."""
    package = importlib.util.find_spec('mmdet')
    assert package is not None and package.origin is not None
    path = Path(package.origin).parent / 'evaluation' / 'functional' / 'class_names.py'
    spec = importlib.util.spec_from_file_location('class_names', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def lvis_v05() -> set[str]:
    """The class names of the first release of LVIS, which MMDetection keeps in a data set alone."""
    package = importlib.util.find_spec('mmdet')
    assert package is not None and package.origin is not None
    tree = ast.parse((Path(package.origin).parent / 'datasets' / 'lvis.py').read_text())
    (dataset,) = (each for each in tree.body if getattr(each, 'name', '') == 'LVISV05Dataset')
    (info,) = (
        each.value
        for each in ast.walk(dataset)
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == 'METAINFO'
    )
    return set(ast.literal_eval(info)['classes'])


def test_lvis_finds_as_many_in_its_first_release(
    class_names: ModuleType, lvis_v05: set[str]
) -> None:
    coco = [name.replace('_', ' ') for name in class_names.coco_classes()]
    groups = AliasGroups(['lvis-coco'])
    missing = {name for name in coco if not lvis_v05 & set(groups.group(name))}
    # Its 'stove' is the whole range.
    assert missing == {'sports ball', 'hot dog', 'potted plant', 'oven'}


@pytest.mark.parametrize(
    ('table', 'lists', 'missing'),
    [
        ('voc-coco', ['voc'], None),
        ('mmdet-coco', ['coco'], set()),
        ('objects365-coco', ['objects365v1'], {'sports ball'}),
        # Balls by the game, and stuffed toys of any kind, are other classes.
        ('objects365-coco', ['objects365v2'], {'sports ball', 'teddy bear'}),
        ('openimages-coco', ['oid_v6'], {'cup'}),
        ('lvis-coco', ['lvis'], {'sports ball', 'hot dog', 'potted plant'}),
    ],
)
def test_a_table_finds_every_class_that_a_data_set_shares_with_coco(
    table: str, lists: list[str], missing: set[str] | None, class_names: ModuleType
) -> None:
    coco = [name.replace('_', ' ') for name in class_names.coco_classes()]
    theirs = {name for each in lists for name in getattr(class_names, f'{each}_classes')()}
    groups = AliasGroups([table])
    matched = {name for name in coco if theirs & set(groups.group(name))}
    if missing is not None:
        assert set(coco) - matched == missing
    else:
        # All of the smaller data set's classes are COCO's.
        assert all(set(coco) & set(groups.group(name)) for name in theirs)


@pytest.mark.parametrize(
    ('table', 'lists'),
    [
        ('voc-coco', ['voc', 'coco']),
        ('objects365-coco', ['objects365v1', 'objects365v2']),
        ('openimages-coco', ['oid_v6']),
        ('lvis-coco', ['lvis']),
    ],
)
def test_every_name_of_a_table_is_one_of_its_data_set(
    table: str, lists: list[str], class_names: ModuleType, lvis_v05: set[str]
) -> None:
    theirs = {name for each in lists for name in getattr(class_names, f'{each}_classes')()}
    if table == 'lvis-coco':
        theirs |= lvis_v05
    synonyms = {synonym for each in ALIAS_TABLES[table].values() for synonym in each}
    assert synonyms <= theirs
    assert set(ALIAS_TABLES[table]) <= {n.replace('_', ' ') for n in class_names.coco_classes()}


def test_placeholders_of_91_id_detectors_are_no_classes() -> None:
    names = ['__background__', 'person', 'N/A', 'hair dryer', 'N/A', 'television']
    space = ClassSpace(
        {'a': names}, classes=['person', 'hair drier', 'tv'], aliases=['coco91-coco']
    )
    assert space.teacher_index('a').tolist() == [-1, 0, -1, 1, -1, 2]


def test_ties_of_shipped_tables() -> None:
    ties = shipped_ties(['sofa', 'cat', 'tv'], ['couch', 'cat', 'tvmonitor', 'dog'])
    assert [tie[:2] for tie in ties] == [('sofa', 'couch'), ('tv', 'tvmonitor')]
    assert ties[0][2] == 'voc-coco'
    # Each pair once, whichever comes first.
    assert len(shipped_ties(['sofa', 'couch'], ['sofa', 'couch'])) == 1
