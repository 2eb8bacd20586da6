"""Fit the calibration of a config on a few labelled images."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from os.path import join
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope
from numpy.typing import NDArray

from mmcompose.class_space import shipped_ties
from mmcompose.composition import Composition
from mmcompose.datasets import ClassSpaceDataset, images_of, truth_of
from mmcompose.engine.read_composition import read_composition
from mmcompose.evaluation import CalibrationRow, calibration_rows
from mmcompose.labeling import (
    ByTeacher,
    LabelContext,
    LabelTransform,
    ScoreCalibration,
    Truth,
    write_learned,
)
from mmcompose.labeling.curves import METHODS
from mmcompose.utils import UserError, nearest, no_file, problem

PIPELINE = 'composition.label_pipeline'


@dataclass(frozen=True)
class Calibration:
    """What :func:`calibrate` did.

    Args:
        rows: By teacher the calibration error before and after.
        images: How many labelled images there were.
        path: The file of curves.
        key: The config key that is to name it.
    """

    rows: list[CalibrationRow]
    images: int
    path: str
    key: str


def calibrate(
    config: Config,
    ann_file: str,
    img_prefix: str | None = None,
    out: str | None = None,
    folds: int = 5,
    drop_unmapped: bool = False,
) -> Calibration:
    """Fit the ``ScoreCalibration`` of a config on labelled images, and write its curves.

    The teachers' predictions come from the store, or are made and stored there. Boxes of classes
    that the file does not label are not judged: their absence is no evidence.

    Args:
        config: A config whose label pipeline has a ``ScoreCalibration`` that learns from labels.
        ann_file: A COCO json, in any class names that the class space knows.
        img_prefix: The folder of its images. Defaults to that of the validation set.
        out: The file to write. Defaults to the step's ``learned_file``, which need not exist.
        folds: For the error on held-out images; see :func:`calibration_rows`. Defaults to 5.
        drop_unmapped: Whether boxes of classes that the student does not have are left out of
            the file. They are a mistake otherwise, for a class of another name would make all
            of the teachers' boxes of it wrong.

    Raises:
        UserError: If something of that is missing, or does not fit.
    """
    number, learned_file = _calibration_of(config)
    key = f'{PIPELINE}[{number}]'
    out = out or learned_file
    if out is None:
        raise UserError(f'{key}.learned_file: is missing; name the file to write')
    if not Path(ann_file).is_file():
        raise UserError(no_file('ann_file', ann_file))
    composition = read_composition(_without_learned_files(config, number))
    step = composition.pipeline.steps[number]
    assert isinstance(step, ScoreCalibration)
    if not step.wants_truth:
        expected = f'learns without labels; to calibrate by labels name one of {", ".join(METHODS)}'
        raise UserError(problem(f'{key}.method', step.method, expected))
    for earlier, other in enumerate(composition.pipeline.steps[:number]):
        if type(other).fit is not LabelTransform.fit and not other.learned:
            raise UserError(
                f'{PIPELINE}[{earlier}]: learns from the pool; put ScoreCalibration before it'
            )
    dataset = _labelled_dataset(config, composition, ann_file, img_prefix, drop_unmapped)
    labelled, truth = _labelled(composition, number, dataset)
    if not 2 <= folds <= len(labelled):
        expected = f'is no number of folds between 2 and {len(labelled)}, the number of images'
        raise UserError(problem('folds', folds, expected))
    step.fit_labelled(labelled, truth)
    if not step.learned:
        raise UserError(problem('ann_file', ann_file, 'tells of no box whether it is right'))
    rows = calibration_rows(step, labelled, truth, folds)
    write_learned(out, type(step).__name__, step.learned)
    return Calibration(rows, len(labelled), out, f'{key}.learned_file')


def _calibration_of(config: Config) -> tuple[int, str | None]:
    """Return which step calibrates, and the file that it names."""
    for number, step in enumerate(config.composition.get('label_pipeline', ())):
        kind = step.get('type') if isinstance(step, Mapping) else None
        if kind is ScoreCalibration or str(kind).split('.')[-1] == ScoreCalibration.__name__:
            return number, step.get('learned_file')
    raise UserError(
        f"{PIPELINE}: has no dict(type='mmcompose.ScoreCalibration', method='isotonic'), so there "
        'is nothing to calibrate'
    )


def _without_learned_files(config: Config, number: int) -> Config:
    """Return the config without files that are not made yet: this step's, and those after it."""
    config = copy.deepcopy(config)
    for step in config.composition.label_pipeline[number:]:
        step.pop('learned_file', None)
    return config


def _labelled_dataset(
    config: Config,
    composition: Composition,
    ann_file: str,
    img_prefix: str | None,
    drop_unmapped: bool,
) -> ClassSpaceDataset:
    """Return the labelled images, in the student's classes."""
    classes = composition.class_space.classes
    if img_prefix is None:
        img_prefix = _validation_prefix(config)
    coco = dict(
        type='CocoDataset', ann_file=ann_file, data_prefix=dict(img=img_prefix), test_mode=True
    )
    aliases = composition.resolved['class_space'].get('aliases', [])
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = ClassSpaceDataset(coco, classes, aliases)
    dataset.full_init()
    first = dataset.get_data_info(0)['img_path'] if len(dataset) else ann_file
    if not Path(first).is_file():
        raise UserError(no_file('img_prefix', first))
    unmapped = _unmapped(dataset, composition)
    if unmapped and (not drop_unmapped or not len(_covered(dataset, composition))):
        raise UserError(_unmapped_problem(ann_file, unmapped, classes))
    return dataset


def _covered(dataset: ClassSpaceDataset, composition: Composition) -> NDArray[np.int64]:
    """Return the student's indices of the classes that a file labels."""
    found = composition.class_space.index(dataset.dataset.metainfo['classes'])
    return found[found >= 0]


def _unmapped(dataset: ClassSpaceDataset, composition: Composition) -> list[str]:
    """Return the classes that a file has boxes of, and the student does not know."""
    inner = dataset.dataset
    labels = {
        each['bbox_label']
        for row in range(len(inner))
        for each in inner.get_data_info(row)['instances']
    }
    names = [name for label, name in enumerate(inner.metainfo['classes']) if label in labels]
    indices = composition.class_space.index(names)
    return [name for name, index in zip(names, indices, strict=True) if index < 0]


def _validation_prefix(config: Config) -> str:
    dataset = (config.get('val_dataloader') or {}).get('dataset') or {}
    prefix = (dataset.get('data_prefix') or {}).get('img')
    if prefix is None:
        raise UserError('img_prefix: is missing; name the folder of the labelled images')
    return join(dataset.get('data_root') or '', prefix)


def _unmapped_problem(ann_file: str, unmapped: list[str], classes: tuple[str, ...]) -> str:
    ties = {name: f'in the alias table {t!r}' for name, _, t in shipped_ties(unmapped, classes)}
    told = []
    for name in unmapped:
        near = nearest(name, classes)
        why = ties.get(name) or (f'did you mean {near!r}?' if near else None)
        told.append(f'{name!r} ({why})' if why else repr(name))
    return (
        f'ann_file: {ann_file!r} labels {", ".join(told)}: no class of the student; add to '
        'composition.class_space.aliases, or ask to leave such boxes out (--drop-unmapped)'
    )


def _labelled(
    composition: Composition, number: int, dataset: ClassSpaceDataset
) -> tuple[list[tuple[ByTeacher, LabelContext]], Truth]:
    """Return what the steps before one make of labelled images, and what is in them."""
    images = images_of(dataset)
    tables = composition.predictions(images)
    said = [composition.said(tables, images, row) for row in range(len(images))]
    covered = _covered(dataset, composition)
    judged: list[tuple[ByTeacher, LabelContext]] = []
    for by_teacher, context in composition.pipeline.before(number, lambda: said):
        known = {n: f[np.isin(f.labels, covered)] for n, f in by_teacher.items()}
        judged.append((known, context))
    truth = {image.key: truth_of(dataset.get_data_info(row)) for row, image in enumerate(images)}
    return judged, truth
