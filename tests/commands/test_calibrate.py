"""Fitting the calibration of a config on a few labeled images."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from mmengine.config import Config

from mmcompose.cli import main
from mmcompose.commands.calibrate import calibrate
from mmcompose.commands.labeled_set import labeled_inputs, labeled_set
from mmcompose.composition import Composition
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import student_config

CATEGORIES = {7: 'blue', 2: 'red', 5: 'green'}
CALIBRATION = {
    'type': 'mmcompose.ScoreCalibration',
    'method': 'isotonic',
    'min_boxes': 3,
    'shrinkage': 0,
}


def config_of(pool: Path, truth: str, folder: Path, **arguments: Any) -> Config:
    config = student_config(pool, truth, folder)
    steps = copy.deepcopy(toys.LABEL_PIPELINE)
    config.composition.label_pipeline = [steps[0], {**CALIBRATION, **arguments}, *steps[1:]]
    return config


@pytest.fixture(scope='module')
def labeled(drawn: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file in which the red things of every other picture are not there."""
    pictures = copy.deepcopy(drawn)
    for picture in pictures[::2]:
        picture['boxes'].pop('red', None)
    path = tmp_path_factory.mktemp('labeled') / 'labeled.json'
    return toys.write_coco(path, pictures, CATEGORIES)


def test_it_writes_what_the_config_names(
    pool: Path, truth: str, labeled: str, tmp_path: Path
) -> None:
    curves = str(tmp_path / 'curves' / 'calibration.json')
    config = config_of(pool, truth, tmp_path, learned_file=curves)
    made = calibrate(config, labeled, folds=4)
    assert made.files == {'composition.label_pipeline[1].learned_file': curves}
    assert any('scores of first count' in line for line in made.learned)
    # Of seven pictures with things in them, the red ones of four are no truth.
    assert [(row.teacher, row.before.boxes) for row in made.rows] == [('first', 14), ('second', 14)]
    for row in made.rows:
        assert row.before.right == pytest.approx(10 / 14)
        assert row.after.error < 0.01 < row.before.error
        assert row.after.error <= row.held_out.error
    composition = Composition.from_config(config.composition.to_dict())
    learned = composition.pipeline.learned[1]['curves']
    assert set(learned['first']['classes']) == {'green', 'red'}
    found = composition.labels(toys.images_in(pool))[0]
    scores = dict(zip(found.labels.tolist(), found.scores.tolist(), strict=True))
    assert scores[0] == pytest.approx(1)
    # What is wrong as often as right is no sure label any more, or none at all.
    assert scores.get(1, 0) < 0.8


def test_classes_that_the_file_does_not_label_are_not_judged(
    pool: Path, truth: str, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = toys.write_coco(tmp_path / 'some.json', drawn, {1: 'blue', 2: 'green'})
    config = config_of(pool, truth, tmp_path)
    made = calibrate(config, path, out=str(tmp_path / 'curves.json'))
    assert [(row.before.boxes, row.before.right) for row in made.rows] == [(7, 1.0), (7, 1.0)]


def test_a_picture_that_cannot_be_read_teaches_nothing(truth: str, tmp_path: Path) -> None:
    pool = tmp_path / 'pool'
    toys.draw(pool, 8, empty=[3])
    config = config_of(pool, truth, tmp_path)
    config.composition.max_unreadable = 0.5
    composition = Composition.from_config(config.composition.to_dict())
    whole = labeled_inputs(composition, labeled_set(config, composition, truth, str(pool), False))
    assert len(whole) == 8
    (pool / '005.png').write_bytes(b'no picture')
    composition = Composition.from_config(config.composition.to_dict())
    rest = labeled_inputs(composition, labeled_set(config, composition, truth, str(pool), False))
    assert [image.key for _, image in rest] == [i.key for _, i in whole if i.key != '005.png']


def test_a_labeled_set_may_be_in_object_storage(truth: str, pool: Path, tmp_path: Path) -> None:
    url = f'memory://{tmp_path.name}'
    for path in pool.glob('*.png'):
        fsspec.filesystem('memory').pipe(f'{url}/{path.name}', path.read_bytes())
    config = student_config(pool, truth, tmp_path)
    composition = Composition.from_config(config.composition.to_dict())
    assert len(labeled_set(config, composition, truth, url, False)) == 8
    with pytest.raises(UserError, match=r"^img_prefix: 'memory://nowhere/000\.png' is no file"):
        labeled_set(config, composition, truth, 'memory://nowhere', False)
    # No chain of URLs.
    shutil.copytree(pool, tmp_path / 'p::q')
    assert len(labeled_set(config, composition, truth, str(tmp_path / 'p::q'), False)) == 8


def test_a_name_that_the_student_lacks_can_be_left_out(
    pool: Path, truth: str, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    renamed = copy.deepcopy(drawn)
    for picture in renamed:
        if picture['boxes']:
            picture['boxes']['gren'] = picture['boxes'].pop('green')
    path = toys.write_coco(tmp_path / 'renamed.json', renamed, {1: 'blue', 2: 'red', 3: 'gren'})
    config = config_of(pool, truth, tmp_path)
    out = tmp_path / 'curves.json'
    with pytest.raises(UserError, match=r"^ann_file: .* labels 'gren' \(did you mean 'green'\?\):"):
        calibrate(config, path, out=str(out))
    assert not out.exists()
    made = calibrate(config, path, out=str(out), drop_unmapped=True)
    assert [row.before.boxes for row in made.rows] == [7, 14]
    config.composition.class_space = {'aliases': [{'green': ['gren']}]}
    again = calibrate(config, path, out=str(out))
    assert [row.before.boxes for row in again.rows] == [14, 14]


def test_curves_and_thresholds_are_fitted_in_one_go_across_a_step_that_learns_from_the_pool(
    pool: Path, truth: str, labeled: str, tmp_path: Path
) -> None:
    files = [str(tmp_path / name) for name in ('curves.json', 'thresholds.json')]
    # A smooth curve for all classes alike: it drops none of the wrong boxes.
    curve = {'method': 'platt', 'min_boxes': 1000, 'learned_file': files[0]}
    config = config_of(pool, truth, tmp_path, **curve)
    thresholds = {
        'type': 'mmcompose.AdaptiveScoreBands',
        'method': 'precision',
        'precision': 0.9,
        'min_boxes': 2,
        'lowest': 0.0,
        'highest': 1.0,
        'learned_file': files[1],
    }
    steps = config.composition.label_pipeline
    fusion = {'type': 'mmcompose.AgreementWeightedFusion', 'iou_thr': 0.55}
    config.composition.label_pipeline = [*steps[:2], fusion, thresholds]
    made = calibrate(config, labeled, folds=2)
    assert list(made.files.values()) == files
    assert [(row.step, row.teacher) for row in made.rows] == [
        ('ScoreCalibration', 'first'),
        ('ScoreCalibration', 'second'),
        ('AdaptiveScoreBands', 'fused'),
    ]
    # Four of the seven red things are no truth.
    assert made.rows[-1].before.right == pytest.approx(17 / 21)
    assert made.rows[-1].after.right >= 0.9
    composition = Composition.from_config(config.composition.to_dict())
    thresholds_of = composition.pipeline.learned[3]['thresholds']['fused']
    assert set(thresholds_of) == {'blue', 'red', 'green'}
    images = toys.images_in(pool)
    table = composition.labels(images)
    for found in (table[row] for row in range(len(images))):
        assert found.ignore is not None
        kept = found[~found.ignore]
        names = [composition.class_space.classes[label] for label in kept.labels]
        lowest = np.array([thresholds_of[name] for name in names], np.float32)
        assert (kept.scores >= lowest).all()


@pytest.mark.parametrize(
    ('file', 'told'),
    [('no images', 'lists no image'), ('no boxes', 'labels no box of a class')],
)
def test_a_file_that_labels_nothing_is_told(
    file: str, told: str, pool: Path, truth: str, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    pictures = [{**each, 'boxes': {}} for each in drawn] if file == 'no boxes' else []
    path = toys.write_coco(tmp_path / 'empty.json', pictures, CATEGORIES)
    with pytest.raises(UserError, match=rf"^ann_file: '.*empty.json' {told}"):
        calibrate(config_of(pool, truth, tmp_path), path, out=str(tmp_path / 'curves.json'))
    assert not (tmp_path / 'curves.json').exists()


ONE = [{'id': 1, 'file_name': '000.png', 'width': 96, 'height': 64}]


@pytest.mark.parametrize(
    ('content', 'told'),
    [
        (
            {'images': ONE, 'annotations': [], 'categories': []},
            'labels no class .*: it names none',
        ),
        (
            {'images': ONE, 'annotations': [], 'categories': [{'id': 1, 'name': 'rde'}]},
            r"labels no class of the student: its classes are 'rde' \(not red\?\)",
        ),
        ({'annotations': [], 'categories': []}, 'is no COCO json: it has no images'),
    ],
)
def test_a_file_is_named_by_its_option(
    content: dict[str, Any], told: str, pool: Path, truth: str, tmp_path: Path
) -> None:
    path = tmp_path / 'wrong.json'
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"^ann_file: '{path}' {told}"):
        calibrate(config_of(pool, truth, tmp_path), str(path), str(pool), str(tmp_path / 'out'))


def test_a_folder_has_all_pictures_of_the_file_or_is_not_taken(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    # The validation set has one picture that bears the name of one of the pool's.
    few = tmp_path / 'few'
    toys.draw(few, 1)
    config = student_config(pool, truth, tmp_path)
    config.val_dataloader.dataset.data_prefix.img = str(few)
    composition = Composition.from_config(config.composition.to_dict())
    found = labeled_set(config, composition, truth, None, False)
    assert {Path(found.get_data_info(row)['img_path']).parent for row in range(8)} == {pool}
    with pytest.raises(UserError, match=r"^img_prefix: '.*few/001\.png' is no file"):
        labeled_set(config, composition, truth, str(few), False)


def _folder(config: Config, truth: str) -> Path:
    """Return where the pictures of a labeled set are found."""
    composition = Composition.from_config(config.composition.to_dict())
    found = labeled_set(config, composition, truth, None, False)
    (folder,) = {Path(found.get_data_info(row)['img_path']).parent for row in range(8)}
    return folder


def test_the_folder_is_found_in_wrapped_sets_and_of_several_pools(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    toys.draw(tmp_path / 'few', 1)
    few = {'type': 'mmcompose.UnlabeledImages', 'data_prefix': {'img': str(tmp_path / 'few')}}
    config = student_config(pool, truth, tmp_path)
    loader, train = config.val_dataloader, config.train_dataloader.dataset
    loader.dataset = {'type': 'ConcatDataset', 'datasets': [loader.dataset]}
    train.dataset = few
    assert _folder(config, truth) == pool
    config.val_dataloader = None
    train.pool = {**few, 'data_root': str(pool.parent), 'data_prefix': {'img': f'{pool.name}/*.*'}}
    assert _folder(config, truth) == pool
    second = copy.deepcopy(train)
    del train.pool
    config.train_dataloader.dataset = {'type': 'ConcatDataset', 'datasets': [train, second]}
    assert _folder(config, truth) == pool


def test_a_dataset_of_several_files_is_not_the_one_of_a_file(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    several = {'type': 'Several', 'ann_file': [truth, truth], 'data_prefix': {'img': 'nowhere'}}
    train = config.train_dataloader.dataset
    config.train_dataloader.dataset = {'type': 'ConcatDataset', 'datasets': [several, train]}
    assert _folder(config, truth) == pool


@pytest.mark.parametrize('place', ['source', 'truth'])
def test_the_folder_of_a_dataset_of_the_same_file_goes_first(
    place: str, pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The pool has pictures of the same names.
    own = tmp_path / 'own'
    toys.draw(own, 8)
    shutil.copy(truth, tmp_path / 'own.json')
    config = student_config(pool, truth, tmp_path)
    labeled = {'type': 'CocoDataset', 'data_root': str(tmp_path), 'ann_file': 'own.json',
               'data_prefix': {'img': 'own/'}}  # fmt: skip
    config.val_dataloader = None
    loader = config.train_dataloader
    if place == 'source':
        source = {'type': 'mmcompose.ClassSpaceDataset', 'dataset': labeled}
        mixed = {'type': 'mmcompose.MixedDataset', 'datasets': [loader.dataset, source]}
        loader.dataset = mixed
    else:
        loader.dataset.truth = labeled
    monkeypatch.chdir(tmp_path)
    assert _folder(config, 'own.json') == own
    assert _folder(config, truth) == pool


def test_a_set_whose_folder_is_not_found_is_told_to_name_it(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    few = tmp_path / 'few'
    toys.draw(few, 1)
    config.val_dataloader = None
    config.train_dataloader.dataset.dataset.data_prefix.img = str(few)
    searched = rf"^ann_file: '{truth}' names images that are not all in '{few}'; name their folder"
    with pytest.raises(UserError, match=searched):
        _folder(config, truth)
    config.train_dataloader = None
    with pytest.raises(UserError, match=r'^ann_file: .* in a folder of the config; name their'):
        _folder(config, truth)


@pytest.mark.parametrize(
    ('steps', 'arguments', 'told'),
    [
        (None, {'ann_file': 'nowhere.json'}, r"^ann_file: 'nowhere.json' is no file"),
        (None, {'out': None}, r'^composition.label_pipeline\[1\].learned_file: is missing'),
        (None, {'folds': 1}, r'^folds: 1 is no number from 2 to that of .* \(8\)'),
        (None, {'folds': 9}, r'^folds: 9 is no number from 2 to that of .* \(8\)'),
        (None, {'img_prefix': 'elsewhere'}, r"^img_prefix: 'elsewhere/000.png' is no file"),
        ([], {}, r'^composition.label_pipeline: has no .*ScoreCalibration'),
        ([{'type': 'mmcompose.ScoreCalibration'}], {}, r'^composition.label_pipeline: has no step'),
        ([{}, {}], {}, r"^out: '.*' is one file, and 2 steps learn"),
        ([{'learned_file': 'a'}] * 2, {'out': None}, r"\[1\].learned_file: 'a' is the file of an"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    steps: Sequence[dict[str, Any]] | None,
    arguments: dict[str, Any],
    told: str,
    pool: Path,
    truth: str,
    tmp_path: Path,
) -> None:
    config = config_of(pool, truth, tmp_path)
    if steps is not None:
        made = [{**CALIBRATION, **step} if 'type' not in step else step for step in steps]
        config.composition.label_pipeline = [*made, toys.LABEL_PIPELINE[1]]
    given = {'ann_file': truth, 'out': str(tmp_path / 'curves.json'), **arguments}
    with pytest.raises(UserError, match=told):
        calibrate(config, **given)
    assert not (tmp_path / 'curves.json').exists()


def test_folds_are_of_images_that_can_be_read(labeled: str, tmp_path: Path) -> None:
    pool = tmp_path / 'pool'
    toys.draw(pool, 8, empty=[3])
    for number in range(4):
        (pool / f'{number:03d}.png').write_bytes(b'no picture')
    config = config_of(pool, labeled, tmp_path)
    config.composition.max_unreadable = 0.9
    with pytest.raises(UserError, match=r'^folds: 5 is no number from 2 to that of .* \(4\)'):
        calibrate(config, labeled, str(pool), str(tmp_path / 'curves.json'))


def test_a_file_given_beside_the_config_is_not_said_to_be_named_there(
    pool: Path,
    truth: str,
    labeled: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = config_of(pool, truth, tmp_path, learned_file=str(tmp_path / 'named.json'))
    config.dump(tmp_path / 'config.py')
    monkeypatch.chdir(tmp_path)
    for given, said in (([], 'named.json, which {} names'), (['--out', 'o.json'], None)):
        main(['calibrate', 'config.py', '--ann', labeled, *given])
        line = ' '.join(capsys.readouterr().out.split())
        key = 'composition.label_pipeline[1].learned_file'
        assert line.endswith((said or 'o.json, to be named by {}').format(key))
