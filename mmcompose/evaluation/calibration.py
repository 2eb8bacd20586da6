"""What a step that learned from labelled images does to precision and calibration."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from mmcompose.labeling import (
    ByTeacher,
    LabelContext,
    LabelTransform,
    Truth,
    calibration_error,
    judge,
)
from mmcompose.labeling.compute.matching import RIGHT, UNJUDGED
from mmcompose.structures import Detections

Labelled = Sequence[tuple[ByTeacher, LabelContext]]


@dataclass(frozen=True)
class BoxFigures:
    """Figures of boxes that were held against the truth.

    Args:
        boxes: How many were judged; those to ignore are not.
        right: The share of right ones, in [0, 1]; NaN without boxes.
        error: The expected calibration error (Guo et al. 2017, 15 bins) of their scores; likewise.
    """

    boxes: int
    right: float
    error: float


@dataclass(frozen=True)
class CalibrationRow:
    """What a step did to one teacher's boxes of labelled images.

    Args:
        step: The name of its class.
        teacher: Whose boxes; 'fused' after a fusion.
        before: The boxes that it was given.
        after: What it made of them, fitted on all of the images.
        held_out: What it makes of them when it is fitted on other images.
    """

    step: str
    teacher: str
    before: BoxFigures
    after: BoxFigures
    held_out: BoxFigures


def calibration_rows(
    step: LabelTransform, labelled: Labelled, truth: Truth, folds: int = 5
) -> list[CalibrationRow]:
    """Measure a step that was fitted on labelled images.

    Args:
        step: Fitted on all of them.
        labelled: What the steps before it made of them.
        truth: What is in them.
        folds: In how many parts the images are split to measure ``held_out``, each transformed
            by what was learned of the others. Defaults to 5.

    Returns:
        A row for each teacher, by name.
    """
    before = [said for said, _ in labelled]
    after = [step.apply(*each) for each in labelled]
    held_out = _held_out(step, labelled, truth, folds)
    there = [truth[context.key] for _, context in labelled]
    rows = []
    for teacher in sorted({name for said in before for name in said}):
        figures = (
            _figures([said[teacher] for said in made], there, step.right_iou_thr)
            for made in (before, after, held_out)
        )
        rows.append(CalibrationRow(type(step).__name__, teacher, *figures))
    return rows


def _figures(
    found: Sequence[Detections], there: Sequence[Detections], iou_thr: float
) -> BoxFigures:
    targets = [each.kept() for each in found]
    verdicts = np.concatenate([judge(*pair, iou_thr) for pair in zip(targets, there, strict=True)])
    scores = np.concatenate([each.scores for each in targets])
    judged, right = verdicts != UNJUDGED, verdicts == RIGHT
    share = float(right[judged].mean()) if judged.any() else math.nan
    return BoxFigures(int(judged.sum()), share, calibration_error(scores[judged], right[judged]))


def _held_out(
    step: LabelTransform, labelled: Labelled, truth: Truth, folds: int
) -> list[ByTeacher]:
    """Return what the step makes of each image when it learned from others."""
    fold_of = np.random.default_rng(0).permutation(len(labelled)) % folds
    result: list[ByTeacher] = [{} for _ in labelled]
    for fold in range(folds):
        fitted = copy.deepcopy(step)
        others = [each for each, of in zip(labelled, fold_of, strict=True) if of != fold]
        fitted.fit_labelled(others, truth)
        for number in np.flatnonzero(fold_of == fold).tolist():
            result[number] = fitted.apply(*labelled[number])
    return result


def calibration_table(rows: Sequence[CalibrationRow], folds: int = 5) -> Table:
    """Return three lines for each step and teacher."""
    table = Table(title='Expected calibration error', title_justify='left')
    for head in ('step', 'boxes of', 'when'):
        table.add_column(head)
    for head in ('boxes', 'right', 'error'):
        table.add_column(head, justify='right')
    for row in rows:
        names = (row.step, row.teacher)
        held_out = f'held out ({folds} folds)'
        lines = (('before', row.before), ('after', row.after), (held_out, row.held_out))
        for when, figures in lines:
            shown = (str(figures.boxes), _shown(figures.right, '.1%'), _shown(figures.error, '.3f'))
            table.add_row(*(names if when == 'before' else ('', '')), when, *shown)
    return table


def _shown(value: float, form: str) -> str:
    return '-' if math.isnan(value) else format(value, form)
