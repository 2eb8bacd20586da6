"""Fit what a config's label pipeline learns from a few labeled images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmcompose.commands.labeled_set import covered_classes, labeled_inputs, labeled_set
from mmcompose.composition import Composition
from mmcompose.engine.read_composition import pool_of, read_composition
from mmcompose.evaluation import CalibrationRow, calibration_rows
from mmcompose.labeling import LabelInput, write_learned
from mmcompose.utils import Problem, UserError, check_writable, fault, no_file, problem

PIPELINE = 'composition.label_pipeline'


@dataclass(frozen=True)
class Calibration:
    """What :func:`calibrate` did.

    Args:
        rows: By step and teacher precision and calibration error before and after.
        learned: What was learned, in lines for a person.
        images: How many labeled images there were.
        files: By the config key that is to name it the file that was written.
    """

    rows: list[CalibrationRow]
    learned: list[str]
    images: int
    files: dict[str, str]


def calibrate(
    config: Config,
    ann_file: str,
    img_prefix: str | None = None,
    out: str | None = None,
    folds: int = 5,
    drop_unmapped: bool = False,
) -> Calibration:
    """Fit every step of a config that learns from labeled images, and write what it learned.

    Such are ``ScoreCalibration`` and the learned thresholds, by a method that needs labels. They
    are fitted in order, each on what the steps before it make of the images; where one of those
    learns from the pool, it does so first. The teachers' predictions come from the store, or are
    made and stored there. Boxes of classes that the file does not label are not judged: their
    absence is no evidence.

    Args:
        config: A config whose label pipeline has such a step.
        ann_file: A COCO json, in any class names that the class space knows.
        img_prefix: The folder of its images; see :func:`labeled_set`.
        out: The file to write, for a single step. Defaults to each step's ``learned_file``, which
            need not exist.
        folds: For the figures on held-out images; see :func:`calibration_rows`. Defaults to 5.
        drop_unmapped: Whether boxes of classes that the student does not have are left out of
            the file. They are a mistake otherwise, for a class of another name would make all
            of the teachers' boxes of it wrong.

    Raises:
        UserError: If something of that is missing, or does not fit.
    """
    if not Path(ann_file).is_file():
        raise UserError(no_file('ann_file', ann_file))
    composition = read_composition(_without_learned_files(config))
    steps = composition.pipeline.steps
    numbers = [number for number, step in enumerate(steps) if step.right_iou_thr is not None]
    files = _files(config, numbers, out)
    dataset = labeled_set(config, composition, ann_file, img_prefix, drop_unmapped)
    # Before teachers predict; and which images can be read is known after that.
    _check_folds(folds, len(dataset))
    labeled = labeled_inputs(composition, dataset)
    _check_folds(folds, len(labeled))
    covered = covered_classes(dataset, composition).tolist()
    pipeline = composition.pipeline.up_to(numbers[-1])
    pool = _pool(config, composition) if pipeline.rounds else list
    pipeline = pipeline.fit(pool, lambda: labeled, covered)
    rows = []
    for number in numbers:
        shown = list(pipeline.before(number, lambda: labeled, covered))
        if not pipeline.steps[number].learned:
            raise UserError(problem('ann_file', ann_file, 'shows of no box whether it is right'))
        rows += calibration_rows(pipeline.steps[number], shown, folds)
    for number in numbers:
        step = pipeline.steps[number]
        write_learned(files[number], type(step).__name__, step.learned)
    named = {f'{PIPELINE}[{number}].learned_file': files[number] for number in numbers}
    return Calibration(rows, pipeline.describe_learned(), len(labeled), named)


def _check_folds(folds: int, count: int) -> None:
    if not 2 <= folds <= count:
        expected = f'is no number from 2 to that of labeled images that can be read ({count})'
        raise UserError(problem('folds', folds, expected))


def _files(config: Config, numbers: list[int], out: str | None) -> dict[int, str]:
    """Return the file of each step that learns from labeled images.

    Raises:
        UserError: With a line for each that has none; or at the first that cannot be written.
    """
    if not numbers:
        raise UserError(
            fault(
                PIPELINE,
                'has no step that learns from labeled images, such as '
                "dict(type='mmcompose.ScoreCalibration', method='isotonic') or "
                "dict(type='mmcompose.AdaptiveScoreBands', method='fbeta')",
            )
        )
    if out is not None and len(numbers) > 1:
        expected = f'is one file, and {len(numbers)} steps learn: name a learned_file for each'
        raise UserError(problem('out', out, expected))
    problems: list[Problem] = []
    files: dict[int, str] = {}
    for number in numbers:
        key = f'{PIPELINE}[{number}].learned_file'
        path = out or config.composition.label_pipeline[number].get('learned_file')
        if path is None:
            problems.append(fault(key, 'is missing; name the file to write'))
            continue
        if path in files.values():
            problems.append(problem(key, path, 'is the file of an earlier step too'))
        check_writable(key if out is None else 'out', path)
        files[number] = path
    if problems:
        raise UserError(*problems)
    return files


def _without_learned_files(config: Config) -> Config:
    """Return the config without files that need not be made yet."""
    config = copy.deepcopy(config)
    for step in config.composition.get('label_pipeline', ()):
        if isinstance(step, dict):
            step.pop('learned_file', None)
    return config


def _pool(config: Config, composition: Composition) -> Callable[[], Iterable[LabelInput]]:
    """Return what the teachers predict on the images that the student learns from."""
    inputs = composition.label_inputs(pool_of(config))
    return lambda: inputs
