"""What the stored predictions say of names that fit nowhere."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmcompose.composition import Composition
from mmcompose.engine import describe_classes, read_composition, resolve
from mmcompose.engine.read_composition import pool_of
from mmcompose.labeling import CoOccurrence
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import student_config


def config_of(pool: Path, truth: str, folder: Path, **class_space: Any) -> Config:
    """Return a config in which the second teacher calls red things rot."""
    config = student_config(pool, truth, folder)
    config.composition.teachers.second.classes = ['blue', 'rot']
    config.composition.class_space = class_space
    return config


def predict(config: Config) -> None:
    lenient = {**config.composition.to_dict(), 'class_space': {}}
    images = pool_of(config)
    Composition.from_config(lenient).predictions(images)


def test_the_pool_is_found_inside_wrappers(pool: Path, truth: str, tmp_path: Path) -> None:
    config = config_of(pool, truth, tmp_path)
    dataset = config.train_dataloader.dataset
    config.train_dataloader.dataset = {'type': 'RepeatDataset', 'times': 2, 'dataset': dataset}
    images = pool_of(config)
    assert [image.key for image in images] == [image.key for image in toys.images_in(pool)]
    config.train_dataloader.dataset = dataset.dataset
    with pytest.raises(UserError, match=r'holds no mmcompose\.PseudoLabeledDataset'):
        pool_of(config)


def test_of_several_pools_none_is_taken_in_silence(pool: Path, truth: str, tmp_path: Path) -> None:
    config = config_of(pool, truth, tmp_path)
    first = config.train_dataloader.dataset
    other = copy.deepcopy(first)
    config.train_dataloader.dataset = {'type': 'ConcatDataset', 'datasets': [first, other]}
    # Two datasets of one pool.
    assert len(pool_of(config)) == 8
    toys.draw(tmp_path / 'other', 5)
    other.dataset.data_prefix.img = str(tmp_path / 'other')
    with pytest.raises(UserError, match=r'^train_dataloader\.dataset: holds 2 pools, and one is'):
        pool_of(config)


def test_names_on_the_same_objects_are_told_once_predictions_are_stored(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = config_of(pool, truth, tmp_path)
    seen, together = describe_classes(config)
    assert [name for name, _ in seen.rows] == ['green', 'red', 'blue', 'rot']
    assert together is None
    assert not (tmp_path / 'store').exists()
    predict(config)
    assert describe_classes(config)[1] == [CoOccurrence('red', 'rot', 7, 1.0)]
    # A name that is dropped is looked at, too.
    dropping = config_of(pool, truth, tmp_path, classes=list(toys.STUDENT), on_unmapped='drop')
    assert describe_classes(dropping)[1] == [CoOccurrence('red', 'rot', 7, 1.0)]
    mapped = config_of(pool, truth, tmp_path, aliases=[{'red': ['rot']}])
    assert describe_classes(mapped)[1] == []


def test_an_unmapped_name_is_a_mistake_with_a_mapping_to_copy(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = config_of(pool, truth, tmp_path, classes=list(toys.STUDENT))
    with pytest.raises(UserError) as before:
        read_composition(config)
    assert len(before.value.lines) == 1
    assert "1 classes of teacher second are no class of the student: 'rot'" in str(before.value)
    predict(config)
    for read in (read_composition, resolve, describe_classes):
        with pytest.raises(UserError) as after:
            read(config)
        assert after.value.lines == (
            *before.value.lines,
            'composition.class_space.mapping.second: in the stored predictions these lie on the '
            "same objects: rot on red 7 times; if they are, add {'rot': 'red'}",
        )
    config.composition.class_space.mapping = {'second': {'rot': 'red'}}
    assert read_composition(config).class_space.classes == toys.STUDENT


def test_another_mistake_has_no_such_line(pool: Path, truth: str, tmp_path: Path) -> None:
    config = config_of(pool, truth, tmp_path)
    predict(config)
    config.composition.class_space.aliases = ['voc-cocoo']
    with pytest.raises(UserError) as told:
        read_composition(config)
    assert len(told.value.lines) == 1
