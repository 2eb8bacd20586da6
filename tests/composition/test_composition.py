"""Tests of Composition: mistakes, addresses, and labels whatever made them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from mmcompose.composition import Composition, PoolLabels
from mmcompose.labeling import AdaptiveScoreFilter, AgreementWeightedFusion
from mmcompose.registry import TEACHERS
from mmcompose.store import LabelStore, WorkList
from mmcompose.structures import Detections, Image
from mmcompose.teachers import FunctionTeacher
from mmcompose.utils import UserError
from tests import toys

_SEE = toys.see


def _mistakes(store: Path, **changes: Any) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        Composition.from_config(toys.composition(store, **changes))
    return caught.value.lines


def _teacher(**changes: Any) -> dict[str, Any]:
    return {'teachers': {**toys.TEACHERS, 'first': {**toys.TEACHERS['first'], **changes}}}


MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    'unknown key': ({'teechers': {}}, 'composition:', "'teechers' .*expected: teachers"),
    'class space key': (
        {'class_space': {'alias': []}},
        'composition.class_space:',
        "'alias' .*did you mean 'aliases'",
    ),
    'no teacher': ({'teachers': {}}, 'composition.teachers:', 'names no teacher'),
    'called student': (
        {'teachers': {'student': toys.TEACHERS['first']}},
        'composition.teachers:',
        "'student' is taken",
    ),
    'called fused': (
        {'teachers': {'fused': toys.TEACHERS['first']}},
        'composition.teachers:',
        "'fused' is taken",
    ),
    'called oracle': (
        {'teachers': {'oracle': toys.TEACHERS['first']}},
        'composition.teachers:',
        "'oracle' is taken",
    ),
    'called as an exported student': (
        {'teachers': {'student as ONNX': toys.TEACHERS['first']}},
        'composition.teachers:',
        "'student as ONNX' is taken",
    ),
    'called as its labels': (
        {'teachers': {'pseudo-labels': toys.TEACHERS['first']}},
        'composition.teachers:',
        "'pseudo-labels' is taken",
    ),
    'teacher type': (
        _teacher(type='mmcompose.FunctoinTeacher'),
        'composition.teachers.first.type:',
        "did you mean 'mmcompose.FunctionTeacher'",
    ),
    'teacher argument': (
        _teacher(classes_=[]),
        'composition.teachers.first:',
        "'classes_' is not a key here",
    ),
    'weight': (_teacher(weight=0), 'composition.teachers.first.weight:', '0 is not above 0'),
    'step type': (
        {'label_pipeline': [{'type': 'mmcompose.ScoreFiltre'}]},
        'composition.label_pipeline[0].type:',
        "did you mean 'mmcompose.ScoreFilter'",
    ),
    'mapped class': (
        {'class_space': {'mapping': {'first': {'gren': 'red'}}}},
        'composition.class_space.mapping.first:',
        "'gren' .*did you mean 'green'",
    ),
    'mapped teacher': (
        {'class_space': {'mapping': {'frist': {}}}},
        'composition.class_space.mapping:',
        "did you mean 'first'",
    ),
    'unmapped class': (
        {'class_space': {'classes': ['red', 'blue']}},
        'composition.class_space:',
        "'green'",
    ),
    'alias table': (
        {'class_space': {'aliases': ['voc-cocoa']}},
        'composition.class_space.aliases:',
        "did you mean 'voc-coco'",
    ),
    'class space of another kind': (
        {'class_space': ['red']},
        'composition.class_space:',
        r"\['red'\] is not a dict",
    ),
    'one mapping for all': (
        {'class_space': {'mapping': {'green': 'red'}}},
        'composition.class_space.mapping.green:',
        'is not a dict',
    ),
    'no fusion': (
        {'label_pipeline': toys.LABEL_PIPELINE[:1]},
        'composition.label_pipeline:',
        'has no fusion, and 2 teachers predict',
    ),
    'a fusion before a filter of teachers, where a step learns': (
        {
            'label_pipeline': [
                {'type': 'mmcompose.AgreementWeightedFusion'},
                {'type': 'mmcompose.ScoreFilter', 'per_teacher': {'a': 0.3}},
            ]
        },
        'composition.label_pipeline[1].per_teacher',
        "'a'",
    ),
    'one step for many': (
        {'label_pipeline': toys.LABEL_PIPELINE[0]},
        'composition.label_pipeline:',
        'is not a list',
    ),
    'no worker': ({'workers': 0}, 'composition.workers:', '0 is not 1 or more'),
    'all unreadable': (
        {'max_unreadable': 1},
        'composition.max_unreadable:',
        r'1 is not in \[0, 1\)',
    ),
    'workers in words': ({'workers': 'two'}, 'composition.workers:', "'two' is not a whole number"),
    'ambiguous alias': (
        {'class_space': {'aliases': [{'red': ['rot'], 'green': ['rot']}]}},
        'composition.class_space.aliases:',
        "'rot' points at two classes",
    ),
}


@pytest.mark.parametrize(('changes', 'key', 'says'), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_key_value_and_nearest_name(
    changes: dict[str, Any], key: str, says: str, tmp_path: Path
) -> None:
    (line,) = _mistakes(tmp_path / 'store', **changes)
    assert line.startswith(key)
    assert '\n' not in line
    assert re.search(says, line), line
    assert not (tmp_path / 'store').exists()


class _Unchecked:
    classes = toys.FIRST


def test_a_class_whose_predictions_nobody_checks_is_no_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TEACHERS.module_dict, 'Unchecked', _Unchecked)
    lines = _mistakes(tmp_path, teachers={'first': {'type': 'Unchecked'}})
    assert lines[0].startswith(
        "composition.teachers.first.type: '_Unchecked' is no teacher: derive"
    )


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    lines = _mistakes(
        tmp_path,
        **_teacher(weight=-1, classes_=[]),
        class_space={'alias': []},
        label_pipeline=[{'type': 'mmcompose.ScoreFiltre'}],
    )
    keys = [line.split(': ')[0] for line in lines]
    assert keys == [
        'composition.teachers.first.weight',
        'composition.teachers.first',
        'composition.class_space',
        'composition.label_pipeline[0].type',
    ]


def test_a_step_that_names_an_unknown_class_is_told_before_any_work(tmp_path: Path) -> None:
    step = {'type': 'mmcompose.ScoreFilter', 'min_score': {'rde': 0.5}}
    lines = _mistakes(tmp_path / 'store', label_pipeline=[step])
    assert lines[0].startswith('composition.label_pipeline[0]')
    assert not (tmp_path / 'store').exists()


def test_a_store_that_cannot_be_written_is_told_before_a_teacher_is_asked(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'file').touch()
    made = Composition.from_config(toys.composition(tmp_path / 'file' / 'store'))
    monkeypatch.delattr('tests.toys.see')
    for ask in (made.predictions, made.labels):
        with pytest.raises(UserError, match=r'^composition\.store: .* cannot be written'):
            ask(toys.images_in(pool))


def test_classes_are_the_union_in_order_of_first_sight(tmp_path: Path) -> None:
    made = Composition.from_config(toys.composition(tmp_path))
    assert made.class_space.classes == toys.STUDENT


def test_labels_are_right_though_every_teacher_has_its_own_order(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    images = toys.images_in(pool)
    labels = Composition.from_config(toys.composition(tmp_path)).labels(images)
    for row, picture in enumerate(drawn):
        found = {
            toys.STUDENT[label]: [round(x) for x in box]
            for label, box in zip(labels[row].labels, labels[row].boxes.tolist(), strict=True)
        }
        assert found == picture['boxes']


@pytest.mark.parametrize(
    ('changes', 'line'),
    [
        ({'workers': -3}, r'composition.workers: -3 '),
        ({'devices': 0}, r'composition.devices: 0 '),
        ({'max_unreadable': 5}, r'composition.max_unreadable: 5 '),
        ({'allow': ['nonsense']}, "composition.allow.*: 'nonsense' "),
        ({'store': None}, 'composition.store: None '),
        ({'class_space': ['a']}, 'composition.class_space: '),
        ({'label_pipeline': {}}, 'composition.label_pipeline: '),
        ({'teacher_records': 5}, 'composition.teacher_records: 5 '),
    ],
)
def test_values_are_looked_at_from_python_too(
    changes: dict[str, Any], line: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        Composition(**{**toys.composition(tmp_path), **changes})
    (found,) = caught.value.lines
    assert re.match(line, found), found


def test_a_store_may_be_a_path_also_for_another_process(pool: Path, tmp_path: Path) -> None:
    made = Composition(**{**toys.composition(tmp_path), 'store': tmp_path / 'store'})
    again = Composition.from_config(made.resolved)
    images = toys.images_in(pool)
    assert again.labels(images).table.path == made.labels(images).table.path


def test_a_pool_may_be_given_as_paths(pool: Path, tmp_path: Path) -> None:
    made = Composition(**toys.composition(tmp_path))
    paths = sorted(pool.glob('*.png'))
    by_image = made.labels(toys.images_in(pool))
    assert [len(each) for each in made.labels(paths)] == [len(each) for each in by_image]
    found = made.predictions([str(each) for each in paths])['first']
    assert len(found) == len(made.label_inputs(paths)) == len(paths)
    assert made.owners_by_name(paths) == made.owners_by_name(toys.images_in(pool))


def test_paths_of_a_pool_are_not_decoded_to_be_listed(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Composition(**toys.composition(tmp_path))
    paths = sorted(pool.glob('*.png'))
    made.labels(paths)
    monkeypatch.setattr('mmcompose.structures.image.decode', None)
    assert len(made.labels(paths)) == len(paths)


def test_all_mistakes_are_told_from_python_as_of_a_config(tmp_path: Path) -> None:
    teachers = {**toys.TEACHERS, 'third': {'type': 'mmcompose.Nothing'}}
    config = {**toys.composition(tmp_path), 'teachers': teachers, 'workers': 0, 'allow': 'box-form'}
    lines = []
    for make in (lambda: Composition(**config), lambda: Composition.from_config(config)):
        with pytest.raises(UserError) as caught:
            make()
        lines.append(caught.value.lines)
    assert lines[0] == lines[1]
    keys = ('composition.workers: ', 'composition.allow: ', 'composition.teachers.third')
    assert [line[: len(key)] for line, key in zip(lines[0], keys, strict=True)] == list(keys)


def test_a_pool_that_cannot_be_stored_is_told(pool: Path, tmp_path: Path) -> None:
    made = Composition(**toys.composition(tmp_path))
    (first, other, *_) = toys.images_in(pool)
    twice = Image(first.key, other.path, other.width, other.height)
    for given, line in (
        ([first.pixels], r'images\[0\]: has not the pixels of a file'),
        ([first, Image.of(other.pixels)], r'images\[1\]: has not the pixels of a file'),
        # Their labels would be stored as those of the file.
        ([first.with_pixels(other.pixels)], r'images\[0\]: has not the pixels of a file'),
        ([first, 1], r'images\[1\]: 1 is no path, URL or Image'),
        ([first, other, twice], rf"images\[2\]: '{first.key}' is the key of images\[0\], too"),
        (str(pool), "images: 'str' is one picture"),
        ([pool / 'none.png'], 'none.png: cannot be read'),
    ):
        with pytest.raises(UserError, match=line):
            made.labels(given)


def test_what_was_resolved_survives_a_dump_that_sorts_its_keys(pool: Path, tmp_path: Path) -> None:
    images = toys.images_in(pool)
    teachers = {'zoe': toys.TEACHERS['first'], 'amy': toys.TEACHERS['second']}
    made = Composition.from_config(toys.composition(tmp_path, teachers=teachers))
    dumped = {**made.resolved, 'teachers': dict(sorted(made.resolved['teachers'].items()))}
    again = Composition.from_config(dumped)
    assert again.class_space.classes == made.class_space.classes == toys.STUDENT
    assert again.class_space.teachers == ('zoe', 'amy')
    assert again.labels(images).table.path == made.labels(images).table.path


def test_stored_labels_are_read_with_the_teachers_gone(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = toys.images_in(pool)
    made = Composition.from_config(toys.composition(tmp_path))
    made.labels(images)
    monkeypatch.delattr('tests.toys.see')
    again = Composition.from_config(made.resolved)
    assert len(again.labels(images)) == len(images)


def test_a_manifest_that_was_deleted_is_written_again(pool: Path, tmp_path: Path) -> None:
    images = toys.images_in(pool)
    Composition(**toys.composition(tmp_path)).labels(images)
    kept = toys.files_below(tmp_path)

    def lose(kinds: str) -> None:
        for path in tmp_path.glob(f'{kinds}/*/manifest.json'):
            path.unlink()

    lose('*')
    Composition(**toys.composition(tmp_path)).labels(images)
    assert toys.files_below(tmp_path) == kept
    lose('predictions')
    Composition(**toys.composition(tmp_path)).predictions(images)
    assert toys.files_below(tmp_path) == kept


def test_a_teacher_that_changed_since_the_config_was_resolved_makes_no_predictions(
    pool: Path, tmp_path: Path
) -> None:
    made = Composition.from_config(toys.composition(tmp_path))
    resolved = made.resolved
    resolved['teachers']['first']['arguments'] = {'colours': ['red', 'green']}
    with pytest.raises(UserError, match=r'composition\.teachers\.first: has changed'):
        Composition.from_config(resolved).labels(toys.images_in(pool))


CHANGES: dict[str, dict[str, Any]] = {
    'threshold': {'label_pipeline': [*toys.LABEL_PIPELINE[:2]]},
    'weight': _teacher(weight=2.0),
    'order of teachers': {'teachers': dict(reversed(toys.TEACHERS.items()))},
    'class order': {'class_space': {'classes': ['red', 'green', 'blue']}},
    'mapping': {'class_space': {'mapping': {'first': {'red': None}}}},
}


@pytest.mark.parametrize('changes', CHANGES.values(), ids=CHANGES)
def test_labels_are_made_anew_but_predictions_are_shared(
    changes: dict[str, Any], pool: Path, tmp_path: Path
) -> None:
    images = toys.images_in(pool)
    one = Composition.from_config(toys.composition(tmp_path))
    other = Composition.from_config(toys.composition(tmp_path, **changes))
    assert one.labels(images).fingerprint != other.labels(images).fingerprint
    # Of two teachers one part each.
    assert len(list((tmp_path / 'predictions').rglob('*.parquet'))) == 2


def test_a_folder_called_like_an_argument_of_a_step_makes_no_labels_anew(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = toys.images_in(pool)
    score_filter, fusion, bands = toys.LABEL_PIPELINE
    steps = [score_filter, {**fusion, 'conf_type': 'max'}, bands]

    def made() -> str:
        config = toys.composition(tmp_path / 'labels', label_pipeline=steps)
        return Composition.from_config(config).labels(images).fingerprint

    monkeypatch.chdir(tmp_path)
    before = made()
    (tmp_path / 'max').mkdir()
    assert made() == before


def test_a_hierarchy_is_part_of_what_makes_the_labels(pool: Path, tmp_path: Path) -> None:
    images = toys.images_in(pool)
    steps = [{'type': 'mmcompose.ResolveHierarchy'}, *toys.LABEL_PIPELINE]
    spaces = ({}, {'hierarchy': {'red': ['blue']}}, {'hierarchy': {'red': ['green']}})
    made = [
        Composition.from_config(
            toys.composition(tmp_path, label_pipeline=steps, class_space=class_space)
        ).labels(images)
        for class_space in spaces
    ]
    assert len({labels.fingerprint for labels in made}) == 3


def test_what_an_alias_means_is_part_of_what_makes_the_labels(pool: Path, tmp_path: Path) -> None:
    """A step names a class by an alias, and it is the class of the config at hand."""
    images = toys.images_in(pool)
    score_filter, *rest = toys.LABEL_PIPELINE
    steps = [{**score_filter, 'per_class': {'coloured': 1.0}}, *rest]
    for number, name in enumerate(toys.STUDENT):
        space = {'aliases': [{name: ['coloured']}]}
        made = toys.composition(tmp_path, label_pipeline=steps, class_space=space)
        found = {each for labels in Composition.from_config(made).labels(images)
                 for each in labels.labels.tolist()}  # fmt: skip
        assert found == {0, 1, 2} - {number}


def test_what_a_dropped_class_is_called_is_part_of_what_makes_the_labels(
    pool: Path, tmp_path: Path
) -> None:
    """Steps may know what a teacher was trained on, also where it is not listened to."""
    images = toys.images_in(pool)
    made = Composition.from_config(toys.composition(tmp_path)).resolved
    addresses = []
    for name in ('red', 'blue'):
        first, second = made['teacher_records']
        records = [{**first, 'classes': ['green', name]}, second]
        space = {'classes': list(toys.STUDENT), 'mapping': {'first': {name: None}}}
        config = {**made, 'teacher_records': records, 'class_space': space}
        addresses.append(Composition.from_config(config)._maker.label_result(images).fingerprint)
    assert len(set(addresses)) == 2


def test_a_coarse_teacher_supports_what_the_student_has_and_adds_nothing(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    """The second teacher calls red things warm; the student knows no such class."""
    space = {
        'classes': ['green', 'red', 'blue'],
        'mapping': {'second': {'red': 'warm'}},
        'hierarchy': {'warm': ['red']},
    }
    steps = [{'type': 'mmcompose.ResolveHierarchy'}, *toys.LABEL_PIPELINE]
    config = toys.composition(tmp_path, label_pipeline=steps, class_space=space)
    composition = Composition.from_config(config)
    again = Composition.from_config(composition.resolved)
    for made in (composition, again):
        labels = made.labels(toys.images_in(pool))
        for row, picture in enumerate(drawn):
            votes = dict(zip(labels[row].labels.tolist(), labels[row].votes.tolist(), strict=True))
            here = {0: [True, False], 1: [True, True], 2: [False, True]}
            assert votes == (here if picture['boxes'] else {})


def test_votes_stand_in_the_teachers_order(pool: Path, tmp_path: Path) -> None:
    labels = Composition.from_config(toys.composition(tmp_path)).labels(toys.images_in(pool))
    found = labels[0]
    votes = {toys.STUDENT[n]: v.tolist() for n, v in zip(found.labels, found.votes, strict=True)}
    expected = {'green': [True, False], 'red': [True, True], 'blue': [False, True]}
    assert votes == expected
    assert not np.any(found.ignore)


def test_a_pool_that_grew_asks_about_the_new_picture_alone(pool: Path, tmp_path: Path) -> None:
    images = toys.images_in(pool)
    before = Composition.from_config(toys.composition(tmp_path)).labels(images[:7])
    grown = Composition.from_config(toys.composition(tmp_path)).labels(images)
    for folder in (tmp_path / 'predictions').iterdir():
        rows = [pq.read_metadata(path).num_rows for path in folder.glob('*.parquet')]
        assert sorted(rows) == [1, 7]
    for row in range(7):
        np.testing.assert_array_equal(grown[row].boxes, before[row].boxes)


def test_a_run_that_was_killed_when_all_was_predicted_leaves_nothing_behind(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = toys.images_in(pool)
    Composition.from_config(toys.composition(tmp_path / 'whole')).labels(images)
    with monkeypatch.context() as patch:
        patch.setattr(WorkList, 'finish', lambda self: sys.exit(1))
        with pytest.raises(SystemExit):
            Composition.from_config(toys.composition(tmp_path / 'killed')).labels(images)
    assert [*(tmp_path / 'killed' / 'work').iterdir()]
    Composition.from_config(toys.composition(tmp_path / 'killed')).labels(images)
    assert toys.files_below(tmp_path / 'killed') == toys.files_below(tmp_path / 'whole')


@pytest.fixture
def damaged(pool: Path, tmp_path: Path) -> list[Image]:
    """A pool of which one picture is no picture and one is not there."""
    folder = tmp_path / 'damaged'
    shutil.copytree(pool, folder)
    images = toys.images_in(folder)
    (folder / '002.png').write_bytes(b'no picture')
    (folder / '005.png').unlink()
    return images


def test_pictures_that_cannot_be_read_are_left_out_of_labels_and_of_what_is_learned(
    damaged: list[Image], tmp_path: Path
) -> None:
    steps = [
        {'type': 'mmcompose.ScoreFilter', 'min_score': 0.05},
        {'type': 'mmcompose.AgreementWeightedFusion'},
    ]
    config = toys.composition(tmp_path / 'store', label_pipeline=steps, max_unreadable=0.5)
    made = Composition.from_config(config)
    labels = made.labels(damaged)
    reasons = labels.table.unreadable()
    assert reasons.keys() == {2, 5}
    assert 'OpenCV can decode' in reasons[2] and 'cannot be read' in reasons[5]
    assert all(len(labels[row]) == 3 for row in (0, 1, 4, 6, 7))
    sound = [image for row, image in enumerate(damaged) if row not in reasons]
    assert Composition.from_config(config).labels(sound).learned == labels.learned


@pytest.mark.parametrize('first', [0.5, 0.2])
def test_a_picture_that_can_be_read_again_is_no_longer_left_out(
    first: float, pool: Path, damaged: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first run ended since too many could not be read."""
    monkeypatch.setattr(LabelStore, 'part_size', 4)
    asked: list[str] = []
    see = FunctionTeacher.predict
    told: list[str] = []
    monkeypatch.setattr('mmcompose.composition.unreadable.warn', told.append)

    def predict(self: FunctionTeacher, images: list[Image]) -> list[Detections]:
        asked.extend(image.key for image in images)
        return see(self, images)

    monkeypatch.setattr(FunctionTeacher, 'predict', predict)

    steps = [toys.LABEL_PIPELINE[0], {'type': 'mmcompose.AgreementWeightedFusion'}]

    def labels(limit: float = 0.5) -> PoolLabels:
        asked.clear()
        told.clear()
        # Each run looks at the files anew.
        again = [Image(each.key, each.path, each.width, each.height) for each in damaged]
        config = toys.composition(
            tmp_path / 'store', label_pipeline=steps, max_unreadable=limit, workers=1
        )
        return Composition.from_config(config).labels(again)

    with pytest.raises(UserError) if first == 0.2 else contextlib.nullcontext():
        labels(first)
    broken = Path(damaged[2].path)
    whole = (pool / '002.png').read_bytes()
    assert labels().table.unreadable().keys() == {2, 5}
    # Nobody is asked while nothing has changed, and what is left out is told each time.
    assert labels().table.unreadable().keys() == {2, 5} and not asked
    assert '2 of 8 pictures cannot be read' in told[0]
    broken.write_bytes(b'no picture'.ljust(len(whole)))
    labels()
    broken.write_bytes(whole)
    made = labels()
    assert made.table.unreadable().keys() == {5} and len(made[2]) == 3
    assert asked == ['002.png'] * 2
    (tmp_path / 'damaged' / '005.png').write_bytes((pool / '005.png').read_bytes())
    made = labels()
    assert not made.table.unreadable() and asked == ['005.png'] * 2
    fresh = toys.composition(
        tmp_path / 'fresh', label_pipeline=steps, max_unreadable=0.5, workers=1
    )
    assert Composition.from_config(fresh).labels(toys.images_in(pool)).learned == made.learned
    labels()
    assert not asked and not told


def test_more_unreadable_pictures_than_allowed_stop_the_run_in_one_line(
    damaged: list[Image], tmp_path: Path
) -> None:
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            Composition.from_config(toys.composition(tmp_path / 'store')).labels(damaged)
        (line,) = caught.value.lines
        assert line.startswith('composition.max_unreadable: 0.01 is exceeded: 1 of 8 pictures')
        assert "'002.png' (" in line


def test_a_checkpoint_is_read_once(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / 'weights'
    file.write_bytes(b'weights')
    os.utime(file, (0, 0))
    reads = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, 'file_digest', lambda f, n: reads.append(f.name) or digest(f, n))
    arguments = {'colours': list(toys.FIRST), 'weights': str(file)}
    monkeypatch.setattr(toys, 'see', lambda pixels, colours, weights=None: _SEE(pixels, colours))
    config = toys.composition(tmp_path / 'store', **_teacher(arguments=arguments))
    made = Composition.from_config(config)
    Composition.from_config(made.resolved).labels(toys.images_in(pool))
    assert reads.count(str(file)) == 1


def test_what_labels_of_a_pool_taught_is_passed_on_to_a_picture(pool: Path, tmp_path: Path) -> None:
    steps = [*toys.LABEL_PIPELINE[:2], {'type': 'mmcompose.AdaptiveScoreFilter', 'min_boxes': 2}]
    made = Composition.from_config(toys.composition(tmp_path, label_pipeline=steps))
    images = toys.images_in(pool)
    before = made.predict(images[0])
    labels = made.labels(images)
    thresholds = labels.learned[2]['thresholds']['fused']
    assert len(labels[0]) < len(before), thresholds
    np.testing.assert_array_equal(made.predict(images[0]).boxes, before.boxes)
    fitted = made.fitted_pipeline(images)
    np.testing.assert_array_equal(made.predict(images[0], fitted).boxes, labels[0].boxes)


def test_what_makes_workers_may_be_set_after_a_first_prediction(pool: Path, tmp_path: Path) -> None:
    def cluster(**arguments: Any) -> Any:
        raise RuntimeError('the cluster is asked')

    made, images = Composition(**toys.composition(tmp_path)), toys.images_in(pool)
    made.predict(images[0])
    made.make_workers = cluster
    with pytest.raises(RuntimeError, match='the cluster is asked'):
        made.labels(images)


def test_a_changed_threshold_repeats_only_what_follows_it(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learning: list[str] = []
    for kind in (AgreementWeightedFusion, AdaptiveScoreFilter):

        def collect(self: Any, stream: Any, kind: Any = kind, real: Any = kind.collect) -> Any:
            learning.append(kind.__name__)
            return real(self, stream)

        monkeypatch.setattr(kind, 'collect', collect)
    images = toys.images_in(pool)
    learned = []
    for method in ('mixture', 'expected_fbeta', 'mixture'):
        steps = [
            {'type': 'mmcompose.AgreementWeightedFusion'},
            {'type': 'mmcompose.AdaptiveScoreFilter', 'method': method, 'min_boxes': 2},
        ]
        config = toys.composition(tmp_path / 'store', label_pipeline=steps)
        learned.append(Composition.from_config(config).labels(images).learned)
    fusion, threshold = 'AgreementWeightedFusion', 'AdaptiveScoreFilter'
    assert learning == [fusion, threshold, threshold]
    assert learned[0] == learned[2] != learned[1]
    assert learned[0][0] == learned[1][0]
