"""How well calibrated the scores of each teacher are, before and after a ScoreCalibration."""

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
    ScoreCalibration,
    Truth,
    calibration_error,
    judge,
)
from mmcompose.labeling.matching import RIGHT, UNJUDGED

Labelled = Sequence[tuple[ByTeacher, LabelContext]]


@dataclass(frozen=True)
class CalibrationRow:
    """The expected calibration error (Guo et al. 2017, 15 bins) of one teacher's scores.

    Args:
        teacher: Its name.
        boxes: How many were judged.
        right: The share of right ones, in [0, 1].
        before: The error of the scores as the teacher gives them; NaN without boxes.
        after: Of the calibrated ones, on the boxes that the curves were fitted on.
        held_out: Of those that are calibrated by curves fitted on other images.
    """

    teacher: str
    boxes: int
    right: float
    before: float
    after: float
    held_out: float


def calibration_rows(
    step: ScoreCalibration, labelled: Labelled, truth: Truth, folds: int = 5
) -> list[CalibrationRow]:
    """Measure a calibration that was fitted on labelled images.

    Args:
        step: Fitted on all of them.
        labelled: What the steps before it made of them.
        truth: What is in them.
        folds: In how many parts the images are split to measure ``held_out``, each calibrated by
            curves of the others. Defaults to 5.

    Returns:
        A row for each teacher, by name.
    """
    calibrated = [step.apply(*each) for each in labelled]
    held_out = _held_out(step, labelled, truth, folds)
    rows = []
    for teacher in sorted({name for said, _ in labelled for name in said}):
        raw = [said[teacher] for said, _ in labelled]
        verdicts = np.concatenate(
            [
                judge(found, truth[context.key], step.iou_thr)
                for found, (_, context) in zip(raw, labelled, strict=True)
            ]
        )
        judged, right = verdicts != UNJUDGED, verdicts == RIGHT
        errors = [
            calibration_error(np.concatenate([f.scores for f in found])[judged], right[judged])
            for found in (raw, [c[teacher] for c in calibrated], [h[teacher] for h in held_out])
        ]
        share = float(right[judged].mean()) if judged.any() else math.nan
        rows.append(CalibrationRow(teacher, int(judged.sum()), share, *errors))
    return rows


def _held_out(
    step: ScoreCalibration, labelled: Labelled, truth: Truth, folds: int
) -> list[ByTeacher]:
    """Return what curves fitted on other images make of each image."""
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
    """Return a row for each teacher."""
    table = Table(title='Expected calibration error', title_justify='left')
    heads = ('boxes', 'right', 'before', 'after', f'after, held out ({folds} folds)')
    table.add_column('teacher')
    for head in heads:
        table.add_column(head, justify='right')
    for row in rows:
        errors = (row.before, row.after, row.held_out)
        figures = ('-' if math.isnan(error) else f'{error:.3f}' for error in errors)
        share = '-' if math.isnan(row.right) else f'{row.right:.1%}'
        table.add_row(row.teacher, str(row.boxes), share, *figures)
    return table
